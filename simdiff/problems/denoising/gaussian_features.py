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
from simdiff.engine.symmetric_products import Parts, half_products, halves, joined
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments, mehler_block, series_length
from simdiff.problems.denoising.evaluation import FreshMoments, Moments, row_products

_NODES = 128
"""Already 100 nodes leave 1e-11 at pre-activations of standard deviation 1 and 3e-4 at 3 (tanh, the hardest
built-in one)."""


class _Single(NamedTuple):
    """What one feature at a time has to say: psi_k, E f^2 and E f z^T; zero where it is padding."""

    psi: Float[Array, "k p"]
    square: Float[Array, " p"]
    cross: Float[Array, "p d"]

    def errors(self, b: Float[Array, "d p"]) -> Float[Array, " d"]:
        """What it adds to the errors: twice the diagonal of B E f z^T, and of B E f^2 B^T what series lack.

        The series of a feature with itself, at correlation 1, ends before it has summed up to E f^2.
        """
        beyond = self.square - jnp.sum(self.psi**2, axis=0)
        return 2 * row_products(b, self.cross.T) + row_products(b * beyond, b)


@dataclasses.dataclass(frozen=True)
class HalfMoments(Moments):
    """Of all features; phi is made where it is used, by the half of its blocks that say everything."""

    correlation: Parts
    single: _Single

    def fresh_errors(self, b: Float[Array, "d p"]) -> Float[Array, " d"]:
        """See `Moments`."""
        return 1.0 + self.single.errors(b) + row_products(self._image(b), b)

    def _image(self, b: Float[Array, "d p"]) -> Float[Array, "d p"]:
        """B phi, or what gives the same quadratic form: of two equal blocks one, twice.

        Written block by block into one array, which keeps XLA's CPU compiler from making each block of phi
        inside the sum over its entries, three times as slow.
        """
        weights = b.astype(self.single.psi.dtype)
        image = jnp.zeros_like(weights)
        for rows, cols, block in self._blocks():
            new = weights[:, rows] @ self._phi(rows, cols, block) * (1 if rows == cols else 2)
            image = jax.lax.dynamic_update_slice(image, image[:, cols] + new, (0, cols.start))
        return image

    def whole(self) -> FreshMoments:
        """See `Moments`."""
        single = self.single
        phi = joined(tuple(self._phi(*block) for block in self._blocks()))
        here = jnp.arange(len(phi))
        return FreshMoments(phi.at[here, here].set(single.square), single.cross, jnp.ones(()))

    def _blocks(self) -> list[tuple[slice, slice, Array]]:
        places = halves(len(self.single.square))
        return [(*place, block) for place, block in zip(places, self.correlation, strict=True)]

    def _phi(self, rows: slice, cols: slice, block: Array) -> Array:
        psi = self.single.psi
        return mehler_block(block, psi[:, rows], psi[:, cols])


@dataclasses.dataclass(frozen=True)
class SplitMoments(Moments):
    """A device's part; phi is made a block at a time, where it is used.

    Products of directions are the correlations of pre-activations.
    """

    columns: ColumnShares
    direction: Float[Array, "q d"]
    single: _Single

    def fresh_errors(self, b: Float[Array, "d q"]) -> Float[Array, " d"]:
        """See `Moments`."""
        pairs = [self.columns.multiplicity(s) * self._pairs(b, s) for s in self.columns.shifts]
        return 1.0 + self.columns.total(self.single.errors(b) + sum(pairs))

    def whole(self) -> FreshMoments:
        """No device holds it."""
        raise TypeError("training paths, which ask for it, are not split over devices")

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
    weights: Float[Array, "q d"],
    keep: Float[Array, " q"],
    columns: ColumnShares,
) -> Moments:
    """Exact averages of a device's own features; `keep` is 1 for real ones and 0 for padding."""
    factor = sampler.factor(frame, a, h, weights)
    norm = jnp.linalg.norm(factor, axis=1)
    single = _single(rho, norm / math.sqrt(weights.shape[1]), h, weights, keep)
    direction = factor / norm[:, None]
    if columns.devices > 1:
        return SplitMoments(columns, direction, single)
    return HalfMoments(half_products(direction), single)


def _single(
    rho: Activation, std: Float[Array, " p"], h: Array, weights: Float[Array, "p d"], keep: Float[Array, " p"]
) -> _Single:
    """Of pre-activations with these standard deviations."""
    kind, d = weights.dtype, weights.shape[1]
    wide = std.astype(jnp.float64)
    psi, square = hermite_moments(rho, jnp.zeros_like(wide), wide, series_length(d), _NODES)
    slope = (jnp.sqrt(h) * psi[1] / wide * keep).astype(kind) / math.sqrt(d)
    return _Single((psi * keep).astype(kind), (square * keep).astype(kind), slope[:, None] * weights)
