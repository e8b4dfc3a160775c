"""Normal equations accumulated block by block: U = <f f^T>, V = <f z^T> over the training pairs.

U is symmetric and costs half the flops of a general product (`engine.symmetric_products`). Memory is that of
U and of one block of rows. Devices that split the features each accumulate their own columns of U.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.engine.symmetric_products import half_products, joined, zeros_of


class Normal(NamedTuple):
    """The normal equations, or a device's columns of U and rows of V; `zz` is (1/d) <|z|^2> over all pairs.

    q = p unless devices share the columns.
    """

    u: Float[Array, "p q"]
    v: Float[Array, "q d"]
    zz: Float[Array, ""]


def accumulate(
    rows: Callable[[Array], Any],
    count: Array,
    block: int,
    shares: RowShares = ALL_ROWS,
    columns: ColumnShares = ALL_COLUMNS,
) -> Normal:
    """U, V and zz of `count` rows; `rows(index)` gives a `Block`, zero beyond `count`.

    Devices that share the rows all get the result; of devices that share the columns `rows` gives each its
    own features, and each gets its own part.
    """

    def sums(number: Array) -> tuple:
        f, z = rows(number * block + jnp.arange(block)).as_columns()
        return half_products(f, columns), f @ z, jnp.sum(z.astype(jnp.float64) ** 2)

    add = lambda number, total: jax.tree.map(jnp.add, total, sums(number))  # noqa: E731
    start = zeros_of(sums, jax.ShapeDtypeStruct((), count.dtype))
    parts, v, zz = shares.total(jax.lax.fori_loop(*shares.part(-(-count // block)), add, start))
    total = count.astype(v.dtype)
    return Normal(joined(parts, columns) / total, v / total, zz / (count.astype(jnp.float64) * v.shape[1]))
