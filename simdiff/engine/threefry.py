"""The counter generator Threefry-2x32 with its twenty rounds written out, to the bit as JAX has it.

On CPU JAX's own is a loop of five steps, each of which goes through memory; written out it stays in registers
(three to four times as fast), and XLA compiles it in half the time. Source: Salmon, Moraes, Dror, Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011.

notation:
    key (a, b), counter (x, y)      two words of 32 bits each, entry by entry of arrays that broadcast

It is written in `jax.lax`, which is traced four times as fast as operators on arrays.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

Words = tuple[Array, Array]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry(key: Words, counter: Words) -> Words:
    """The two words of each counter under each key."""
    a, b, x, y = jnp.broadcast_arrays(*key, *counter)
    keys = (a, b, a ^ b ^ _PARITY)
    x, y = lax.add(x, a), lax.add(y, b)
    for step in range(5):
        for distance in _ROTATIONS[step % 2]:
            x = lax.add(x, y)
            y = lax.bitwise_xor(x, _rotated(y, distance))
        x = lax.add(x, keys[(step + 1) % 3])
        y = lax.add(lax.add(y, keys[(step + 2) % 3]), np.uint32(step + 1))
    return x, y


def folded(key: Array, rows: Array) -> Words:
    """The words of `jax.random.fold_in(key, row)` for each row."""
    a, b = jax.random.key_data(key)
    low = rows.astype(jnp.uint32)
    return threefry((a, b), (jnp.zeros_like(low), low))


def bit_rows(keys: Words, columns: int) -> UInt32[Array, "r columns"]:
    """Row by row `jax.random.bits(key, (columns,))`, in its partitionable way."""
    a, b = lax.optimization_barrier(keys)  # else compilers fold anew for every entry
    place = jnp.arange(columns, dtype=jnp.uint32)
    x, y = threefry((a[:, None], b[:, None]), (jnp.zeros_like(place), place))
    return x ^ y


def _rotated(word: Array, distance: int) -> Array:
    left = lax.shift_left(word, np.uint32(distance))
    return lax.bitwise_or(left, lax.shift_right_logical(word, np.uint32(32 - distance)))
