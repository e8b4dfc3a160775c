"""Normal equations accumulated block by block: U = <f f^T>, V = <f z^T> over the training pairs.

U is symmetric, so only block columns on and right of the diagonal are computed: with T column blocks
(T + 1) / (2 T) of the flops of a full product. Memory is that of U and of one block of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Normal(NamedTuple):
    """The normal equations; `zz` is (1/d) <|z|^2> over the training pairs."""

    u: Float[Array, "p p"]
    v: Float[Array, "p d"]
    zz: Float[Array, ""]


def accumulate(
    rows: Callable[[Array], tuple[Array, Array]], count: Array, block: int, p: int, d: int, dtype: type
) -> Normal:
    """U, V and zz of `count` rows; `rows(index)` gives (features, targets), zero beyond `count`."""
    width = p // column_blocks(p)
    starts = range(0, p, width)
    upper = tuple(jnp.zeros((width, p - start), dtype) for start in starts)

    def add(number: Array, total: tuple) -> tuple:
        f, z = rows(number * block + jnp.arange(block))
        parts = zip(total[0], starts, strict=True)
        new = tuple(part + f[:, s : s + width].T @ f[:, s:] for part, s in parts)
        return new, total[1] + f.T @ z, total[2] + jnp.sum(z.astype(jnp.float64) ** 2)

    blocks = -(-count // block)
    start = (upper, jnp.zeros((p, d), dtype), jnp.zeros((), jnp.float64))
    upper, v, zz = jax.lax.fori_loop(0, blocks, add, start)
    total = count.astype(jnp.float64)
    return Normal(_mirror(upper, p) / total.astype(dtype), v / total.astype(dtype), zz / (total * d))


def symmetric_product(f: Float[Array, "r p"]) -> Float[Array, "p p"]:
    """f^T f with about half the flops of a general product."""
    p = f.shape[1]
    width = p // column_blocks(p)
    return _mirror(tuple(f[:, s : s + width].T @ f[:, s:] for s in range(0, p, width)), p)


def column_blocks(p: int) -> int:
    """Column blocks of a symmetric product: fewer flops against narrower, slower products.

    Measured on two AVX2 cores in float32: two blocks are fastest from p = 512, four from p = 1536 on.
    """
    blocks = 4 if p >= 1536 else 2 if p >= 512 else 1
    return blocks if p % blocks == 0 else 1


def _mirror(upper: tuple[Array, ...], p: int) -> Array:
    rows = [jnp.pad(part, ((0, 0), (p - part.shape[1], 0))) for part in upper]
    full = jnp.concatenate(rows) if len(rows) > 1 else rows[0]
    triangle = jnp.triu(full)
    return triangle + jnp.triu(full, 1).T
