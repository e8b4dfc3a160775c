"""Random features of data that are Gaussian given the frame: averages over fresh samples, without a sample.

Pre-activations u = W x_t / sqrt(d) are centred Gaussians, so E f f^T is a Mehler series in their
correlations, and E f_i z = (sqrt(h) w_i / sqrt(d)) E rho'(u_i) by Stein's lemma.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Frame, GaussianSampler
from simdiff.engine.column_shares import ColumnShares
from simdiff.engine.symmetric_products import symmetric_product
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments, mehler_block, mehler_sum, series_length
from simdiff.problems.denoising.evaluation import FreshMoments, row_products

_NODES = 128
"""Already 100 nodes leave 1e-11 at pre-activations of standard deviation 1 and 3e-4 at 3 (tanh, the hardest
built-in one)."""


class _Single(NamedTuple):
    """What one feature at a time has to say: psi_k, E f^2 and E f z^T; zero where it is padding."""

    psi: Float[Array, "k p"]
    square: Float[Array, " p"]
    cross: Float[Array, "p d"]


@dataclasses.dataclass(frozen=True)
class SplitMoments:
    """A device's part of a `FreshMoments`; phi is made a block at a time, where it is used.

    Products of directions are the correlations of pre-activations.
    """

    columns: ColumnShares
    direction: Float[Array, "q d"]
    single: _Single

    def fresh_errors(self, b: Float[Array, "d q"]) -> Float[Array, " d"]:
        """See `FreshMoments`; b are this device's columns."""
        single = self.single
        own = 2 * row_products(b, single.cross.T)
        beyond = single.square - jnp.sum(single.psi**2, axis=0)  # of E f^2, missing in the series
        own += row_products(b * beyond, b)
        pairs = [self.columns.multiplicity(s) * self._pairs(b, s) for s in self.columns.shifts]
        return 1.0 + self.columns.total(own + sum(pairs))

    def _pairs(self, b: Float[Array, "d q"], s: int) -> Float[Array, " d"]:
        """The diagonal of B_j phi_ji B_i^T for device i and the j that is s after it, phi by its series."""
        own = self.direction, self.single.psi.T, b.astype(self.direction.dtype).T
        direction, psi, weights = (self.columns.shifted(value, s) for value in own)

        def add(total: Array, piece: tuple[Array, ...]) -> tuple[Array, None]:
            phi = mehler_block(direction @ piece[0].T, psi.T, piece[1].T)
            return total + row_products(weights.T @ phi, piece[2].T), None

        pieces = [value.reshape(self.columns.pieces, -1, value.shape[1]) for value in own]
        return jax.lax.scan(add, jnp.zeros(len(b), jnp.float64), tuple(pieces))[0]


def random_feature_moments(
    sampler: GaussianSampler,
    frame: Frame,
    a: Array,
    h: Array,
    rho: Activation,
    weights: Float[Array, "p d"],
    keep: Float[Array, " p"],
) -> FreshMoments:
    """Exact averages; `keep` is 1 for real features and 0 for padding."""
    covariance = symmetric_product(sampler.factor(frame, a, h, weights).T) / weights.shape[1]
    std = jnp.sqrt(jnp.diagonal(covariance))
    psi, square, cross = _single(rho, std, h, weights, keep)
    return FreshMoments(mehler_sum(covariance / jnp.outer(std, std), psi, square), cross, jnp.ones(()))


def split_moments(
    sampler: GaussianSampler,
    frame: Frame,
    a: Array,
    h: Array,
    rho: Activation,
    weights: Float[Array, "q d"],
    keep: Float[Array, " q"],
    columns: ColumnShares,
) -> SplitMoments:
    """The same of a device's own features."""
    factor = sampler.factor(frame, a, h, weights)
    norm = jnp.linalg.norm(factor, axis=1)
    single = _single(rho, norm / math.sqrt(weights.shape[1]), h, weights, keep)
    return SplitMoments(columns, factor / norm[:, None], single)


def _single(
    rho: Activation, std: Float[Array, " p"], h: Array, weights: Float[Array, "p d"], keep: Float[Array, " p"]
) -> _Single:
    """Of pre-activations with these standard deviations."""
    kind, d = weights.dtype, weights.shape[1]
    wide = std.astype(jnp.float64)
    psi, square = hermite_moments(rho, jnp.zeros_like(wide), wide, series_length(d), _NODES)
    slope = (jnp.sqrt(h) * psi[1] / wide * keep).astype(kind) / math.sqrt(d)
    return _Single((psi * keep).astype(kind), (square * keep).astype(kind), slope[:, None] * weights)
