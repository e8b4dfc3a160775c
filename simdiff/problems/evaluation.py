"""The errors of a trained B: exactly where an average is known, on fresh draws where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Frame, GaussianSampler
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments, mehler_sum, series_length
from simdiff.problems.gram import Normal, symmetric_product
from simdiff.problems.row_shares import ALONE, RowShares


class Population(NamedTuple):
    """Averages over fresh x and z in a trial: phi = E f f^T, cross = E f z^T, and E z_i^2.

    The last is 1, or a vector where something was taken off the targets z.
    """

    phi: Float[Array, "p p"]
    cross: Float[Array, "p d"]
    square: Float[Array, "*d"]

    def mean_square(self, share: Float[Array, " d"]) -> Float[Array, ""]:
        """E z_i^2 averaged over directions; shares add up to 1."""
        return jnp.sum(share * self.square) if self.square.ndim else self.square


_NODES = 128
"""Already 100 nodes leave 1e-11 at pre-activations of standard deviation 1 and 3e-4 at 3 (tanh, the hardest
built-in one)."""


def random_feature_population(
    sampler: GaussianSampler,
    frame: Frame,
    a: Array,
    h: Array,
    rho: Activation,
    weights: Float[Array, "p d"],
    keep: Float[Array, " p"],
) -> Population:
    """Exact averages over random features of data that are Gaussian given the frame.

    Pre-activations are centred Gaussians, so the first is a Mehler series and the second is Stein's
    lemma: E f_i z = (sqrt(h) w_i / sqrt(d)) E rho'(u_i).
    """
    d = weights.shape[1]
    covariance = symmetric_product(sampler.factor(frame, a, h, weights).T) / d
    std = jnp.sqrt(jnp.diagonal(covariance))
    wide = std.astype(jnp.float64)
    psi, square = hermite_moments(rho, jnp.zeros_like(wide), wide, series_length(d), _NODES)
    correlation = covariance / jnp.outer(std, std)
    psi_kept, square = (psi * keep).astype(weights.dtype), (square * keep).astype(weights.dtype)
    slope = (jnp.sqrt(h) * psi[1] / wide * keep).astype(weights.dtype) / math.sqrt(d)
    return Population(mehler_sum(correlation, psi_kept, square), slope[:, None] * weights, jnp.ones(()))


def fresh_errors(b: Float[Array, "d p"], known: Population) -> Float[Array, " d"]:
    """E (z + B f)_i^2 on fresh x and z, direction by direction: their mean is the test error."""
    return known.square + _quadratics(b, known.phi, known.cross)


def quadratic(b: Float[Array, "d p"], u: Array, v: Array, zz: Array) -> Float[Array, ""]:
    """zz + (2/d) tr B V + (1/d) tr B U B^T in float64."""
    return zz + jnp.mean(_quadratics(b, u, v))


def _quadratics(b: Float[Array, "d p"], u: Array, v: Array) -> Float[Array, " d"]:
    """The diagonal of 2 B V + B U B^T in float64."""
    narrow = b.astype(u.dtype)
    squared = jnp.sum((narrow @ u).astype(jnp.float64) * b, axis=1)
    return 2 * jnp.sum(b.astype(jnp.float64) * v.T, axis=1) + squared


def minimum(b: Float[Array, "d p"], normal: Normal, ridge: Array) -> tuple[Array, Array]:
    """(train, objective) at the ridge minimiser, where tr B (U + ridge) B^T = -tr B V."""
    d = b.shape[0]
    wide = b.astype(jnp.float64)
    objective = normal.zz + jnp.sum(wide.T * normal.v) / d
    return objective - ridge * jnp.sum(wide**2) / d, objective


def streamed_error(
    rows: Callable[[Array], tuple[Array, Array]],
    b: Float[Array, "d p"],
    count: Array,
    block: int,
    shares: RowShares = ALONE,
) -> Float[Array, ""]:
    """(1/d) <||z + B f||^2> over `count` rows of (features, targets), zero beyond `count`."""
    d = b.shape[0]

    def add(number: Array, total: Array) -> Array:
        f, z = rows(number * block + jnp.arange(block))
        return total + jnp.sum((z + f @ b.T.astype(f.dtype)).astype(jnp.float64) ** 2)

    total = jax.lax.fori_loop(*shares.part(-(-count // block)), add, jnp.zeros((), jnp.float64))
    return shares.total(total) / (count.astype(jnp.float64) * d)
