"""The errors of a trained B: exactly where an average is known, on fresh draws where it is not."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.problems.denoising.gram import Normal


class Moments(abc.ABC):
    """Averages over fresh x and z in a trial, as far as errors ask for them."""

    @abc.abstractmethod
    def fresh_errors(self, b: Float[Array, "d q"]) -> Float[Array, " d"]:
        """E (z + B f)_i^2 on fresh x and z, direction by direction: their mean is the test error.

        `b` are this device's columns, where devices share them.
        """

    @abc.abstractmethod
    def whole(self) -> FreshMoments:
        """With every matrix in full, on one device."""


@dataclasses.dataclass(frozen=True)
class FreshMoments(Moments):
    """phi = E f f^T, cross = E f z^T, and E z_i^2.

    The last is 1, or a vector where something was taken off the targets z.
    """

    phi: Float[Array, "p p"]
    cross: Float[Array, "p d"]
    square: Float[Array, "*d"]

    def mean_square(self, share: Float[Array, " d"]) -> Float[Array, ""]:
        """E z_i^2 averaged over directions; shares add up to 1."""
        return jnp.sum(share * self.square) if self.square.ndim else self.square

    def fresh_errors(self, b: Float[Array, "d p"]) -> Float[Array, " d"]:
        """See `Moments`."""
        return self.square + _quadratics(b, self.phi, self.cross)

    def whole(self) -> FreshMoments:
        """It is."""
        return self


def quadratic(b: Float[Array, "d p"], u: Array, v: Array, zz: Array) -> Float[Array, ""]:
    """zz + (2/d) tr B V + (1/d) tr B U B^T in float64."""
    return zz + jnp.mean(_quadratics(b, u, v))


def _quadratics(b: Float[Array, "d p"], u: Array, v: Array) -> Float[Array, " d"]:
    """The diagonal of 2 B V + B U B^T in float64."""
    return 2 * row_products(b, v.T) + row_products(b.astype(u.dtype) @ u, b)


def row_products(left: Float[Array, "d p"], right: Float[Array, "d p"]) -> Float[Array, " d"]:
    """The diagonal of left @ right^T in float64."""
    return jnp.sum(left.astype(jnp.float64) * right, axis=1)


def minimum(
    b: Float[Array, "d q"], normal: Normal, ridge: Array, columns: ColumnShares = ALL_COLUMNS
) -> tuple[Array, Array]:
    """(train, objective) at the ridge minimiser, where tr B (U + ridge) B^T = -tr B V."""
    d = b.shape[0]
    wide = b.astype(jnp.float64)
    objective = normal.zz + columns.total(jnp.sum(wide.T * normal.v)) / d
    return objective - ridge * columns.total(jnp.sum(wide**2)) / d, objective


def streamed_error(
    rows: Callable[[Array], Any],
    b: Float[Array, "d q"],
    count: Array,
    block: int,
    shares: RowShares = ALL_ROWS,
    columns: ColumnShares = ALL_COLUMNS,
) -> Float[Array, ""]:
    """(1/d) <||z + B f||^2> over `count` rows; `rows(index)` gives a `Block`, zero beyond `count`."""
    d = b.shape[0]

    def add(number: Array, total: Array) -> Array:
        f, z = rows(number * block + jnp.arange(block)).as_rows()
        output = columns.total(f @ b.T.astype(f.dtype))
        return total + jnp.sum((z + output).astype(jnp.float64) ** 2)

    total = jax.lax.fori_loop(*shares.part(-(-count // block)), add, jnp.zeros((), jnp.float64))
    return shares.total(total) / (count.astype(jnp.float64) * d)
