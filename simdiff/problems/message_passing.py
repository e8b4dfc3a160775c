"""The posterior of test points on a hidden manifold, by generalized approximate message passing.

notation:
    y = a sigma(u) + sqrt(h) z,  u = F xi,  F = M / sqrt(D) (d x D),  xi ~ N(0, I_D)
    v, V_mu = |F_mu|^2 v                  posterior variance of an input, prior variance of output mu
    p = F xi - V s                        what the other outputs say about u
    s = (E[u | y] - p) / V                from the scalar posterior of the channel
    lambda = (1/D) sum_mu |F_mu|^2 (1 - Var[u_mu | y] / V_mu) / V_mu
    xi <- (lambda xi + F^T s) / (1 + lambda),  v <- 1 / (1 + lambda)

Nothing here is asymptotic in form, and at sigma = id a fixed point is the exact posterior mean; for
other sigma the messages' Gaussian shape costs O(1/d). One variance v a point, spread over outputs by
the norms of the rows, is more accurate and more stable than one for each input (measured at d = 400,
sigma = id: the average of Var(x | y) is off by 0.05% at most, against 0.16%), and needs no products
with F^2.

Source: S. Rangan, arXiv 1010.5141 (sum-product GAMP).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from simdiff.functions.activations import Activation
from simdiff.problems.channel import Moments, moments

_TILE = 2**19
"""Elements times quadrature nodes a tile: they stay in cache."""

TOLERANCE = 3e-4
"""Largest rms change of E[z | y] of a converged point. Iterating on changes a floor by 1e-3 of its value
at most, and by 1e-4 on average (d = 128, psi_D = 0.5 and 1, t = 0.001 and 0.01, where it is slowest)."""

MAX_ITERATIONS = 200


class Posterior(NamedTuple):
    """Moments of x given y. Points that are not `converged` hold the last finite state."""

    mean: Float[Array, "r d"]
    variance: Float[Array, "r d"]
    converged: Bool[Array, " r"]
    iterations: Int[Array, ""]


class _State(NamedTuple):
    xi: Float[Array, "r k"]
    v: Float[Array, " r"]
    s: Float[Array, "r d"]
    mean: Float[Array, "r d"]
    variance: Float[Array, "r d"]


class _Model(NamedTuple):
    """y, F, the squared norms of F's rows, and the number of columns that are not padding."""

    y: Float[Array, "r d"]
    factor: Float[Array, "d k"]
    norms: Float[Array, " d"]
    inputs: Float[Array, ""]
    a: Float[Array, ""]
    h: Float[Array, ""]


def posterior(
    y: Float[Array, "r d"],
    factor: Float[Array, "d k"],
    sigma: Activation,
    a: Float[Array, ""],
    h: Float[Array, ""],
    nodes: int,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Posterior:
    """E[x | y] and Var(x_i | y) of r test points y = a x + sqrt(h) z, x = sigma(factor xi).

    Args:
        y: the noisy test points.
        factor: M / sqrt(D); columns of zeros are padding and change nothing.
        sigma: elementwise; constants that centre it belong into its `fn`.
        a, h: e^{-t} and 1 - e^{-2t}.
        nodes: of the channel's quadrature, from `channel.nodes_for`.
        tolerance: a point has converged when E[z | y] = (y - a E[x | y]) / sqrt(h) changes by less (rms).
        max_iterations: points slower than that, and those that diverge, are not `converged`.

    The exact score is (a E[x | y] - y) / h. For an even sigma the start, xi = 0, is itself a fixed
    point, and the answer is the posterior of a manifold whose symmetry is not broken.
    """
    norms = jnp.sum(factor**2, axis=1)
    inputs = jnp.sum(jnp.any(factor != 0, axis=0)).astype(y.dtype)
    model = _Model(y, factor, norms, inputs, a.astype(y.dtype), h.astype(y.dtype))

    def going(loop: tuple) -> Array:
        _, change, number = loop
        return jnp.any(change > tolerance) & (number < max_iterations)

    def advance(loop: tuple) -> tuple:
        state, change, number = loop
        new = _step(model, sigma, nodes, state)
        moved = model.a * jnp.sqrt(jnp.mean((new.mean - state.mean) ** 2, axis=1) / model.h)
        active = change > tolerance
        state = _State(*map(lambda n, o: _select(active & jnp.isfinite(moved), n, o), new, state))
        return state, jnp.where(active, moved, change), number + 1

    state, change, number = jax.lax.while_loop(going, advance, _start(model))
    return Posterior(state.mean, state.variance, change <= tolerance, number)


def _start(model: _Model) -> tuple[_State, Array, Array]:
    """The prior: no input is known."""
    zeros, rows = jnp.zeros_like(model.y), model.y.shape[0]
    xi = jnp.zeros((rows, model.factor.shape[1]), model.y.dtype)
    state = _State(xi, jnp.ones(rows, model.y.dtype), zeros, zeros, zeros)
    return state, jnp.full(rows, jnp.inf, model.y.dtype), jnp.zeros((), jnp.int32)


def _step(model: _Model, sigma: Activation, nodes: int, state: _State) -> _State:
    """One iteration for all points."""
    variance = state.v[:, None] * model.norms
    p = state.xi @ model.factor.T - variance * state.s
    known = _channel(model, sigma, nodes, p, variance)
    s = known.g_mean / jnp.sqrt(variance)
    precision = jnp.sum(1 - known.g_variance, axis=1) / (model.inputs * state.v)
    v = 1 / (1 + precision)
    xi = v[:, None] * (precision[:, None] * state.xi + s @ model.factor)
    return _State(xi, v, s, known.mean, known.variance)


def _channel(model: _Model, sigma: Activation, nodes: int, p: Array, variance: Array) -> Moments:
    """The scalar posteriors, in tiles of rows that stay in cache while the quadrature adds its nodes up."""
    tile = max(1, _TILE // (p.shape[1] * nodes * (1 + len(sigma.kinks))))

    def row(parts: tuple) -> Moments:
        return moments(*parts, sigma, model.a, model.h, nodes)

    return jax.lax.map(row, (model.y, p, variance), batch_size=tile)


def _select(rows: Bool[Array, " r"], new: Array, old: Array) -> Array:
    return jnp.where(rows.reshape(-1, *[1] * (new.ndim - 1)), new, old)
