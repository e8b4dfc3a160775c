"""The tangent kernel of a one-hidden-layer network of (x, t), in closed form.

notation:
    z = (x / scale, 2 (t - t_min) / (t_max - t_min) - 1, bias)       a place, D + 2 coordinates
    f(z) = N^{-1/2} sum_i a_i rho(w_i . z),  a_i ~ N(0, 1), w_i ~ N(0, I) at the start
    k(z, z') = E rho(w . z) rho(w . z') + z . z' E rho'(w . z) rho'(w . z')
    relu     |z| |z'| (sin th + 2 (pi - th) cos th) / (2 pi),  th the angle between z and z'
    erf      (2 / pi) (arctan(g) + g),  g = 2 z . z' / sqrt(n n' - 4 (z . z')^2),  n = 1 + 2 |z|^2

Both parts of the network are trained, a and w, hence two terms. Outputs do not see each other: the kernel of
two different outputs is 0 for infinite N.

Sources: Jacot, Gabriel and Hongler, arXiv 1806.07572; Cho and Saul, NIPS 2009 (relu); Williams, NIPS 1996
(erf).
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.models.ensemble.score_model import Span

ACTIVATIONS = ("relu", "erf")


def places(
    x: Float[Array, "n D"], t: Float[Array, " n"], span: Span, scale: float, bias: float
) -> Float[Array, "n Z"]:
    """z of every pair (x, t)."""
    low, high = jnp.asarray(span[0], x.dtype), jnp.asarray(span[1], x.dtype)
    time = 2.0 * (t.astype(x.dtype) - low) / (high - low) - 1.0
    return jnp.concatenate([x / scale, time[:, None], jnp.full_like(x[:, :1], bias)], axis=1)


def tangent_kernel(activation: str, z: Float[Array, "n Z"], other: Float[Array, "m Z"]) -> Array:
    """k(z_i, z'_j), (n, m)."""
    return {"relu": _relu, "erf": _erf}[activation](z, other)


def _relu(z: Array, other: Array) -> Array:
    """By the distance of unit vectors: angles near 0, where the kernel has a cusp, keep their digits."""
    norms, others = jnp.linalg.norm(z, axis=1)[:, None], jnp.linalg.norm(other, axis=1)[None]
    u, v = z / norms, other / others.T
    square = jnp.zeros((len(z), len(other)), z.dtype)
    for i in range(z.shape[1]):
        square = square + (u[:, i, None] - v[None, :, i]) ** 2
    half = jnp.minimum(0.5 * jnp.sqrt(square), 1.0)
    beyond = math.pi - 2.0 * jnp.arcsin(half)
    sine = 2.0 * half * jnp.sqrt(1.0 - half**2)
    return norms * others * (sine + 2.0 * beyond * (1.0 - 0.5 * square)) / (2.0 * math.pi)


def _erf(z: Array, other: Array) -> Array:
    """By n n' - 4 (z . z')^2 = 1 + 2 |z|^2 + 2 |z'|^2 + 4 sum_{i<j} (z_i z'_j - z_j z'_i)^2."""
    inner = jnp.zeros((len(z), len(other)), z.dtype)
    left = 1.0 + 2.0 * jnp.sum(z**2, axis=1)[:, None] + 2.0 * jnp.sum(other**2, axis=1)[None]
    for i in range(z.shape[1]):
        inner = inner + z[:, i, None] * other[None, :, i]
        for j in range(i):
            left = left + 4.0 * (z[:, i, None] * other[None, :, j] - z[:, j, None] * other[None, :, i]) ** 2
    ratio = 2.0 * inner / jnp.sqrt(left)
    return (2.0 / math.pi) * (jnp.arctan(ratio) + ratio)
