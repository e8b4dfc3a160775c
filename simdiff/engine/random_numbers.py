"""Random numbers addressed by row, so that padding and blocking never change them.

Row r of a table of normals depends on (key, r) and the number of columns only. A table padded to a
shape bucket, cut into blocks or generated out of order therefore holds the same numbers.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Float64, Int, UInt32

from simdiff.engine.threefry import bit_rows


def normal_rows(key: Array, rows: Int[Array, " r"], columns: int) -> Float32[Array, "r columns"]:
    """Independent N(0, 1) entries of the given rows.

    Row by row `jax.random.normal(jax.random.fold_in(key, row), (columns,))`, to the bit. Always drawn in
    float32, so that trials in float64 and in float32 see the same numbers.
    """
    # The barrier keeps compilers from fusing the draw into what uses it: fused code may round the last
    # bit differently, and then the numbers would depend on the program around them.
    return jax.lax.optimization_barrier(_normal(bit_rows(key, rows, columns)))


def _normal(bits: UInt32[Array, "r c"]) -> Float32[Array, "r c"]:
    """As `jax.random.normal` does: 23 bits make a uniform number in (-1, 1), whose quantile is taken."""
    lowest = np.nextafter(np.float32(-1), np.float32(0))
    fraction = (bits >> np.uint32(9)) | np.float32(1).view(np.uint32)
    unit = jax.lax.bitcast_convert_type(fraction, jnp.float32) - np.float32(1)
    uniform = jnp.maximum(lowest, unit * (np.float32(1) - lowest) + lowest)
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)


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
