"""The counter generator Threefry-2x32 with its twenty rounds written out, to the bit as JAX has it.

On CPU JAX's own is a loop of five steps, each of which goes through memory; written out it stays in registers
(three to four times as fast), and XLA compiles it in half the time. Source: Salmon, Moraes, Dror, Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011.

notation:
    key (a, b), counter (x, y)      two words of 32 bits each, entry by entry of arrays that broadcast

It is written in functions of `jax.lax`, which are traced four times as fast as operators on arrays, and runs
in NumPy, too, for a few words that are not worth a compilation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

Words = tuple[Any, Any]
"""Arrays of JAX or of NumPy."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


class Arithmetic(NamedTuple):
    """What the rounds are made of, on words of 32 bits."""

    broadcast: Callable
    add: Callable
    xor: Callable
    either: Callable
    left: Callable
    right: Callable


IN_JAX = Arithmetic(
    jnp.broadcast_arrays, lax.add, lax.bitwise_xor, lax.bitwise_or, lax.shift_left, lax.shift_right_logical
)
ON_HOST = Arithmetic(
    np.broadcast_arrays, np.add, np.bitwise_xor, np.bitwise_or, np.left_shift, np.right_shift
)


def threefry(key: Words, counter: Words, of: Arithmetic = IN_JAX) -> Words:
    """The two words of each counter under each key."""
    a, b, x, y = of.broadcast(*key, *counter)
    keys = (a, b, a ^ b ^ _PARITY)
    x, y = of.add(x, a), of.add(y, b)
    for step in range(5):
        for distance in _ROTATIONS[step % 2]:
            x = of.add(x, y)
            y = of.xor(x, _rotated(y, distance, of))
        x = of.add(x, keys[(step + 1) % 3])
        y = of.add(of.add(y, keys[(step + 2) % 3]), np.uint32(step + 1))
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


def _rotated(word: Any, distance: int, of: Arithmetic) -> Any:
    return of.either(of.left(word, np.uint32(distance)), of.right(word, np.uint32(32 - distance)))
