"""Hermite moments of an activation, element by element, and the Gaussian averages built from them.

notation:
    u = mean + std g, g ~ N(0, 1)              a pre-activation
    psi_k = E[rho(u) h_k(g)]                   h_k the orthonormal Hermite polynomials
    E rho(u_i) rho(u_j) = sum_k r_ij^k psi_k,i psi_k,j    (Mehler), r_ij the correlation of u_i, u_j

Off the diagonal r_ij is of order 1/sqrt(d), so a few terms give the sum to rounding; on the diagonal
r = 1 and the second moment is integrated directly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.models.activations import Activation

_REACH = 7.0
"""Standard deviations kept by the piecewise rule: beyond them lies 3e-12 of the mass."""


def hermite_moments(
    rho: Activation, mean: Float[Array, "*#s"], std: Float[Array, "*#s"], orders: int, nodes: int
) -> tuple[Float[Array, orders * s], Float[Array, "*s"]]:
    """(psi_0 .. psi_{orders-1}, E rho(u)^2) for every element of mean and std.

    Gauss-Hermite where rho is smooth, Gauss-Legendre panels split at its kinks otherwise. A node at
    a time is added up, so memory is `orders + 1` times that of `mean`.
    """
    positions, weights = _rule(rho.kinks, nodes)

    def add(total: tuple, node: tuple) -> tuple:
        g, w = _place(node, rho.kinks, mean, std)
        value = rho.fn(mean + std * g)
        moments = w * value * _hermite(g, orders)
        return (total[0] + moments, total[1] + w * value**2), None

    zero = jnp.zeros(jnp.broadcast_shapes(mean.shape, std.shape), mean.dtype)
    start = (jnp.broadcast_to(zero, (orders, *zero.shape)), zero)
    total, _ = jax.lax.scan(add, start, (positions.astype(mean.dtype), weights.astype(mean.dtype)))
    return total


def mehler_sum(
    correlation: Float[Array, "p p"], psi: Float[Array, "k p"], second_moment: Float[Array, " p"]
) -> Float[Array, "p p"]:
    """E rho(u_i) rho(u_j) for all pairs: Horner's scheme in the correlation, exact diagonal."""
    total = jnp.outer(psi[-1], psi[-1])
    for row in psi[-2::-1]:
        total = total * correlation + jnp.outer(row, row)
    here = jnp.arange(total.shape[0])
    return total.at[here, here].set(second_moment)


def series_length(d: int) -> int:
    """Terms of the Mehler series: entries of the neglected part are of order d^(-K/2).

    Measured at d = 64 with ReLU and with tanh features, psi_p = 2: six terms change no metric by more
    than 1e-7 of its value, four by 1e-5, three by 6e-4; a trial's own spread is 1e-2.
    """
    return max(4, math.ceil(6 * math.log(64) / math.log(max(d, 4))))


def _rule(kinks: Sequence[float], nodes: int) -> tuple[Array, Array]:
    """((panel, position), weight) of every node; without kinks there is one panel."""
    if not kinks:
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
        return jnp.stack([jnp.zeros(nodes), jnp.asarray(x)], 1), jnp.asarray(w / math.sqrt(2 * math.pi))
    x, w = np.polynomial.legendre.leggauss(nodes)
    panels = len(kinks) + 1
    places = np.stack([np.repeat(np.arange(panels), nodes), np.tile(x, panels)], 1)
    return jnp.asarray(places), jnp.asarray(np.tile(w, panels))


def _place(node: tuple, kinks: Sequence[float], mean: Array, std: Array) -> tuple[Array, Array]:
    """The node's position g and weight for every element; panels end at the kinks."""
    (panel, x), w = node
    if not kinks:
        return jnp.broadcast_to(x, jnp.broadcast_shapes(mean.shape, std.shape)), w
    shape = jnp.broadcast_shapes(mean.shape, std.shape)
    ends = [jnp.full(shape, -_REACH, mean.dtype)]
    ends += [jnp.clip((kink - mean) / std, -_REACH, _REACH) for kink in kinks]
    ends += [jnp.full(shape, _REACH, mean.dtype)]
    stacked = jnp.stack(ends)
    at = panel.astype(jnp.int32)
    low, high = stacked[at], stacked[at + 1]
    g = 0.5 * (low + high) + 0.5 * (high - low) * x
    return g, w * 0.5 * (high - low) * jnp.exp(-0.5 * g * g) / math.sqrt(2 * math.pi)


def _hermite(g: Array, orders: int) -> Array:
    """Orthonormal probabilists' Hermite polynomials h_0 .. h_{orders-1} at g."""
    values = [jnp.ones_like(g), g]
    for k in range(1, orders - 1):
        values.append((g * values[k] - math.sqrt(k) * values[k - 1]) / math.sqrt(k + 1))
    return jnp.stack(values[:orders])
