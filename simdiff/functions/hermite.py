"""Hermite moments of an activation, element by element, and the Gaussian averages built from them.

notation:
    u = mean + std g, g ~ N(0, 1)              a pre-activation
    psi_k = E[rho(u) h_k(g)]                   h_k the orthonormal Hermite polynomials
    E rho(u_i) rho(u_j) = sum_k r_ij^k psi_k,i psi_k,j    (Mehler), r_ij the correlation of u_i, u_j

Off the diagonal r_ij is of order 1/sqrt(d), so a few terms give the sum to rounding; on the diagonal
r = 1 and the second moment is integrated directly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.functions.activations import Activation

_REACH = 7.0
"""Standard deviations kept by the piecewise rule: beyond them lies 3e-12 of the mass."""


def hermite_moments(
    rho: Activation, mean: Float[Array, "*#s"], std: Float[Array, "*#s"], orders: int, nodes: int
) -> tuple[Float[Array, "orders ..."], Float[Array, "..."]]:
    """(psi_0 .. psi_{orders-1}, E rho(u)^2) for every element of mean and std.

    Gauss-Hermite where rho is smooth, Gauss-Legendre panels split at its kinks otherwise. Memory is
    `nodes` (times panels) that of `mean`: cut large arrays into tiles.
    """
    return (_kinked if rho.kinks else _smooth)(rho, mean, std, orders, nodes)


def _smooth(rho: Activation, mean: Array, std: Array, orders: int, nodes: int) -> tuple[Array, Array]:
    """One rule for all elements, so the sums over nodes are a small matrix product."""
    x, weights = np.polynomial.hermite_e.hermegauss(nodes)
    g, w = jnp.asarray(x, mean.dtype), jnp.asarray(weights / math.sqrt(2 * math.pi), mean.dtype)
    values = rho.fn(mean + std * g.reshape(-1, *[1] * mean.ndim))
    # Without the barrier compilers evaluate rho again for every order.
    values = jax.lax.optimization_barrier(values)
    return jnp.tensordot(jnp.stack(_hermite(g, orders)) * w, values, 1), jnp.tensordot(w, values**2, 1)


def _kinked(rho: Activation, mean: Array, std: Array, orders: int, nodes: int) -> tuple[Array, Array]:
    """Every element has panels of its own, from kink to kink."""
    g, w = _panels(rho.kinks, mean, std, nodes)
    values = rho.fn(mean + std * g)
    g, weighted, squared = jax.lax.optimization_barrier((g, w * values, w * values**2))
    psi = [jnp.sum(weighted * h, axis=0) for h in _hermite(g, orders)]
    return jnp.stack(psi), jnp.sum(squared, axis=0)


def mehler_block(
    correlation: Float[Array, "p q"], rows: Float[Array, "k p"], columns: Float[Array, "k q"]
) -> Float[Array, "p q"]:
    """E rho(u_i) rho(u_j) of pairs i != j by Horner's scheme in their correlation; psi of the i and the j."""
    total = jnp.outer(rows[-1], columns[-1])
    for left, right in zip(rows[-2::-1], columns[-2::-1], strict=True):
        total = total * correlation + jnp.outer(left, right)
    return total


def series_length(d: int) -> int:
    """Terms of the Mehler series: entries of the neglected part are of order d^(-K/2).

    Measured at d = 64 with ReLU and with tanh features, psi_p = 2: six terms change no metric by more
    than 1e-7 of its value, four by 1e-5, three by 6e-4; a trial's own spread is 1e-2.
    """
    return max(4, math.ceil(6 * math.log(64) / math.log(max(d, 4))))


def _panels(kinks: Sequence[float], mean: Array, std: Array, nodes: int) -> tuple[Array, Array]:
    """Nodes and weights (panels nodes, *s) of Gauss-Legendre rules from kink to kink, density included."""
    x, w = (jnp.asarray(part, mean.dtype) for part in np.polynomial.legendre.leggauss(nodes))
    shape = jnp.broadcast_shapes(mean.shape, std.shape)
    inner = [jnp.clip((kink - mean) / std, -_REACH, _REACH) for kink in kinks]
    ends = [jnp.full(shape, -_REACH, mean.dtype), *inner, jnp.full(shape, _REACH, mean.dtype)]
    x, w = (part.reshape(-1, *[1] * len(shape)) for part in (x, w))
    positions, weights = [], []
    for low, high in itertools.pairwise(ends):
        half = 0.5 * (high - low)
        positions.append(0.5 * (low + high) + half * x)
        weights.append(w * half)
    g = jnp.concatenate(positions)
    return g, jnp.concatenate(weights) * jnp.exp(-0.5 * g * g) / math.sqrt(2 * math.pi)


def _hermite(g: Array, orders: int) -> list[Array]:
    """Orthonormal probabilists' Hermite polynomials h_0 .. h_{orders-1} at g."""
    values = [jnp.ones_like(g), g]
    for k in range(1, orders - 1):
        values.append((g * values[k] - math.sqrt(k) * values[k - 1]) / math.sqrt(k + 1))
    return values[:orders]
