"""Products of a matrix with its own transpose: half the flops, on one device or on several.

F^T F is symmetric, so columns are halved again and again, and of the two products of one half with the other
only one is computed: halved k times, 1/2 + 1/2^(k + 1) of the flops of a full product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares

Parts = Any
"""f^T f as the products that make it: `Half` of one device, the blocks of `ColumnShares` of several."""


def zeros_of(function: Callable[..., Any], *shapes: jax.ShapeDtypeStruct) -> Any:
    """Zeros of the shapes that the function returns, for sums to start from."""
    found = jax.eval_shape(function, *shapes)
    return jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), found)


def half_products(f: Float[Array, "r q"], columns: ColumnShares = ALL_COLUMNS) -> Parts:
    """f^T f by the products that are computed of it."""
    return _halved(f) if columns.devices == 1 else columns.products(f)


def joined(parts: Parts, columns: ColumnShares = ALL_COLUMNS) -> Float[Array, "p q"]:
    """The matrix, or this device's columns of it."""
    if columns.devices > 1:
        return columns.joined(parts)
    upper = _upper(parts)
    return jnp.triu(upper) + jnp.triu(upper, 1).T


def symmetric_product(f: Float[Array, "r p"]) -> Float[Array, "p p"]:
    """f^T f with about half the flops of a general product."""
    return joined(half_products(f))


def products_of_rows(f: Float[Array, "k q"], columns: ColumnShares) -> Float[Array, "k c"]:
    """F F^T where every device has its own columns of F; of several, each gets its columns of F F^T."""
    if columns.devices == 1:
        return symmetric_product(f.T)
    own = f.reshape(columns.devices, -1, f.shape[1])  # the rows of each device

    def of(i: Array, kept: tuple[Array, ...]) -> tuple[Array, ...]:
        """The blocks of device i, kept where this is device i."""
        blocks = tuple(columns.total(own[(i + s) % columns.devices] @ own[i].T) for s in columns.shifts)
        return jax.tree.map(lambda block, before: jnp.where(columns.me == i, block, before), blocks, kept)

    start = tuple(jnp.zeros((own.shape[1],) * 2, f.dtype) for _ in columns.shifts)
    return columns.joined(jax.lax.fori_loop(0, columns.devices, of, start))


def halvings(p: int) -> int:
    """How often the columns of a symmetric product are halved: fewer flops against smaller products.

    On two AVX2 cores in float32 products of 256 or more columns run at the speed of large ones.
    """
    times = 0
    while p % 2 == 0 and p // 2 >= _LEAST_COLUMNS:
        p, times = p // 2, times + 1
    return times


_LEAST_COLUMNS = 256

Half = Any
"""A symmetric matrix as the products that make it: a square matrix, or (upper right block, first diagonal
block as a `Half`, second one as a `Half`)."""


def _halved(f: Float[Array, "r p"]) -> Half:
    return _halves(f, halvings(f.shape[1]))


def _halves(f: Float[Array, "r p"], times: int) -> Half:
    if times == 0:
        return f.T @ f
    middle = f.shape[1] // 2
    left, right = f[:, :middle], f[:, middle:]
    return left.T @ right, _halves(left, times - 1), _halves(right, times - 1)


def _upper(parts: Half) -> Float[Array, "p p"]:
    """The matrix on and above its diagonal; below stands what products gave, or zero."""
    if not isinstance(parts, tuple):
        return parts
    corner, first, second = parts
    return jnp.block([[_upper(first), corner], [jnp.zeros_like(corner.T), _upper(second)]])
