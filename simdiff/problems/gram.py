"""Normal equations accumulated block by block: U = <f f^T>, V = <f z^T> over the training pairs.

U is symmetric, so columns are halved again and again, and of the two products of one half with the other
only one is computed: halved k times, 1/2 + 1/2^(k + 1) of the flops of a full product. Memory is that of U
and of one block of rows. Devices that split the features each accumulate their own columns of U.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.problems.column_shares import WHOLE, ColumnShares
from simdiff.problems.row_shares import ALONE, RowShares

Products = Callable[[Float[Array, "r q"]], Any]
"""f -> f^T f, as the blocks of it that are computed."""


class Normal(NamedTuple):
    """The normal equations, or a device's columns of U and rows of V; `zz` is (1/d) <|z|^2> over all pairs.

    q = p unless devices share the columns.
    """

    u: Float[Array, "p q"]
    v: Float[Array, "q d"]
    zz: Float[Array, ""]


def accumulate(
    rows: Callable[[Array], tuple[Array, Array]],
    count: Array,
    block: int,
    p: int,
    d: int,
    dtype: type,
    shares: RowShares = ALONE,
    columns: ColumnShares = WHOLE,
) -> Normal:
    """U, V and zz of `count` rows; `rows(index)` gives (features, targets), zero beyond `count`.

    Devices that share the rows all get the result; of devices that share the columns `rows` gives each its
    own features, and each gets its own part.
    """
    alone = columns.devices == 1
    products: Products = _halved if alone else columns.products

    def add(number: Array, total: tuple) -> tuple:
        f, z = rows(number * block + jnp.arange(block))
        u = jax.tree.map(jnp.add, total[0], products(f))
        return u, total[1] + f.T @ z, total[2] + jnp.sum(z.astype(jnp.float64) ** 2)

    width = columns.width(p)
    start = (_zeros(products, width, dtype), jnp.zeros((width, d), dtype), jnp.zeros((), jnp.float64))
    u, v, zz = shares.total(jax.lax.fori_loop(*shares.part(-(-count // block)), add, start))
    whole = _whole(u) if alone else columns.joined(u)
    total = count.astype(jnp.float64)
    return Normal(whole / total.astype(dtype), v / total.astype(dtype), zz / (total * d))


def symmetric_product(f: Float[Array, "r p"]) -> Float[Array, "p p"]:
    """f^T f with about half the flops of a general product."""
    return _whole(_halved(f))


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


def _zeros(products: Products, width: int, dtype: type) -> Any:
    shapes = jax.eval_shape(products, jax.ShapeDtypeStruct((1, width), dtype))
    return jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), shapes)


def _whole(parts: Half) -> Float[Array, "p p"]:
    if not isinstance(parts, tuple):
        return jnp.triu(parts) + jnp.triu(parts, 1).T
    corner, first, second = parts
    return jnp.block([[_whole(first), corner], [corner.T, _whole(second)]])
