"""Products of a matrix with its own transpose: half the flops, on one device or on several.

F F^T is symmetric, so rows are halved again and again, and of the two products of one half with the other
only one is computed: halved k times, 1/2 + 1/2^(k + 1) of the flops of a full product. What is done to such
a matrix entry by entry, or asked of it as a quadratic form, is done block by block for as little; it is put
together where a factorisation needs it whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares

Parts = tuple[Array, ...]
"""A symmetric matrix as the products that make it: the blocks of `halves`, or those of `ColumnShares`."""


def zeros_of(function: Callable[..., Any], *shapes: jax.ShapeDtypeStruct) -> Any:
    """Zeros of the shapes that the function returns, for sums to start from."""
    found = jax.eval_shape(function, *shapes)
    return jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), found)


def half_products(f: Float[Array, "q r"], columns: ColumnShares = ALL_COLUMNS) -> Parts:
    """F F^T by the products that are computed of it."""
    if columns.devices > 1:
        return columns.products(f)
    return tuple(f[rows] @ f[cols].T for rows, cols in halves(len(f)))


def joined(parts: Parts, columns: ColumnShares = ALL_COLUMNS) -> Float[Array, "p q"]:
    """The matrix, or this device's columns of it."""
    if columns.devices > 1:
        return columns.joined(parts)
    width = parts[0].shape[0] + parts[0].shape[1] if len(parts) > 1 else parts[0].shape[0]
    whole = jnp.zeros((width, width), parts[0].dtype)
    for (rows, cols), block in zip(halves(width), parts, strict=True):
        if rows == cols:
            block = jnp.triu(block) + jnp.triu(block, 1).T
        else:
            whole = jax.lax.dynamic_update_slice(whole, block.T, (cols.start, rows.start))
        whole = jax.lax.dynamic_update_slice(whole, block, (rows.start, cols.start))
    return whole


def symmetric_product(f: Float[Array, "p r"]) -> Float[Array, "p p"]:
    """F F^T with about half the flops of a general product."""
    return joined(half_products(f))


def products_of_rows(f: Float[Array, "k q"], columns: ColumnShares) -> Float[Array, "k c"]:
    """F F^T where every device has its own columns of F; of several, each gets its columns of F F^T."""
    if columns.devices == 1:
        return symmetric_product(f)
    own = f.reshape(columns.devices, -1, f.shape[1])  # the rows of each device

    def of(i: Array, kept: tuple[Array, ...]) -> tuple[Array, ...]:
        """The blocks of device i, kept where this is device i."""
        blocks = tuple(columns.total(own[(i + s) % columns.devices] @ own[i].T) for s in columns.shifts)
        return jax.tree.map(lambda block, before: jnp.where(columns.me == i, block, before), blocks, kept)

    start = tuple(jnp.zeros((own.shape[1],) * 2, f.dtype) for _ in columns.shifts)
    return columns.joined(jax.lax.fori_loop(0, columns.devices, of, start))


def halvings(p: int) -> int:
    """How often the rows of a symmetric product are halved: fewer flops against smaller products.

    On two AVX2 cores in float32 products of 256 or more rows run at the speed of large ones.
    """
    times = 0
    while p % 2 == 0 and p // 2 >= _LEAST_COLUMNS:
        p, times = p // 2, times + 1
    return times


_LEAST_COLUMNS = 256


def halves(p: int) -> list[tuple[slice, slice]]:
    """(rows, columns) of the blocks: those above the diagonal once, largest first, and those on it."""
    return _halves(0, p, halvings(p))


def _halves(first: int, p: int, times: int) -> list[tuple[slice, slice]]:
    end, middle = first + p, first + p // 2
    if times == 0:
        return [(slice(first, end), slice(first, end))]
    corner = slice(first, middle), slice(middle, end)
    return [corner, *_halves(first, p // 2, times - 1), *_halves(middle, p // 2, times - 1)]
