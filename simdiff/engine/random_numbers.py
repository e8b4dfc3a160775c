"""Random numbers addressed by row, so that padding and blocking never change them.

Row r of a table of normals depends on (key, r) and the number of columns only. A table padded to a
shape bucket, cut into blocks or generated out of order therefore holds the same numbers.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Float64, Int, UInt32

from simdiff.engine.threefry import bit_rows, folded


@partial(jax.jit, static_argnums=2, inline=True)
def normal_rows(key: Array, rows: Int[Array, " r"], columns: int) -> Float32[Array, "r columns"]:
    """Independent N(0, 1) entries of the given rows.

    Row by row `jax.random.normal(jax.random.fold_in(key, row), (columns,))`, to the bit. Always drawn in
    float32, so that trials in float64 and in float32 see the same numbers.
    """
    return lax.platform_dependent(
        key, rows, cpu=partial(_looped, columns), default=partial(_at_once, columns)
    )


def _at_once(columns: int, key: Array, rows: Int[Array, " r"]) -> Float32[Array, "r columns"]:
    # The barrier keeps compilers from fusing the draw into what uses it: fused code may round the last
    # bit differently, and then the numbers would depend on the program around them.
    return lax.optimization_barrier(_normal(bit_rows(folded(key, rows), columns)))


def _looped(columns: int, key: Array, rows: Int[Array, " r"]) -> Float32[Array, "r columns"]:
    """A few rows at a time, which stay in cache.

    On CPU barriers are gone before XLA fuses: it would draw the numbers anew in every operation that uses
    them, and compile their generator as often. Nothing is fused into a loop or out of it, so rows are folded
    by JAX, which does it in one.
    """
    words = jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, rows))
    count = len(rows)
    step = max(1, min(_up_to(_TILE // max(1, columns)), -(-count // 2)))
    steps = -(-count // step)
    blocks = jnp.pad(words, ((0, steps * step - count), (0, 0))).reshape(steps, step, 2)
    table = lax.map(lambda words: _normal(bit_rows((words[:, 0], words[:, 1]), columns)), blocks)
    return table.reshape(steps * step, columns)[:count]


def _up_to(length: int) -> int:
    """The largest power of two up to `length`, at least 1."""
    return 1 << max(0, length.bit_length() - 1)


_TILE = 8192
"""Numbers drawn together on CPU."""


def _normal(bits: UInt32[Array, "r c"]) -> Float32[Array, "r c"]:
    """As `jax.random.normal` does: 23 bits make a uniform number in (-1, 1), whose quantile is taken."""
    lowest = np.nextafter(np.float32(-1), np.float32(0))
    fraction = (bits >> np.uint32(9)) | np.float32(1).view(np.uint32)
    unit = lax.bitcast_convert_type(fraction, jnp.float32) - np.float32(1)
    uniform = jnp.maximum(lowest, unit * (np.float32(1) - lowest) + lowest)
    return np.float32(np.sqrt(2)) * lax.erf_inv(uniform)


def streams(key: Array, count: int) -> Array:
    """Independent keys, `jax.random.fold_in(key, k)` for every k below `count`; compiled once for all."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def integer_rows(key: Array, rows: Int[Array, " r"], below: Array) -> Int[Array, " r"]:
    """One integer in [0, below) for each row."""

    def row(index: Array) -> Array:
        return jax.random.randint(jax.random.fold_in(key, index), (), 0, below)

    return jax.vmap(row)(rows)


def uniform_rows(key: Array, rows: Int[Array, " r"]) -> Float64[Array, " r"]:
    """One number from [0, 1) for each row."""

    def row(index: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, index), (), jnp.float64)

    return jax.vmap(row)(rows)
