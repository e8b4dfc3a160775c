"""A map over a batch of which only some neighbours are wanted, in a program that serves any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def whole(keys: jax.Array) -> np.ndarray:
    """The span of all keys."""
    return np.array([0, len(keys)], np.int32)


def span_map(run: Callable[[Any], Any], keys: Any, span: jax.Array, width: int) -> Any:
    """`run` of each key in the span, `width` at a time under vmap; nan, or 0 of an integer, for the others.

    Args:
        run: a function of one key, or of one entry of every array in a pytree.
        keys: a multiple of `width` of them, or a pytree of arrays as long.
        span: (first, stop), which may lie before the first key and beyond the last.
        width: keys of one step; those of a step are run together if any of them is wanted.
    """
    traced = jax.jit(run, inline=True)  # traced once, for its shapes and for the loop
    step = traced if width == 1 else jax.vmap(traced)

    def add(number: jax.Array, found: Any) -> Any:
        place = number * width
        own = jax.tree.map(lambda v: jax.lax.dynamic_slice_in_dim(v, place, width), keys)
        new = jax.tree.map(lambda v: v[None], step(_first(own))) if width == 1 else step(own)
        return jax.tree.map(lambda old, v: jax.lax.dynamic_update_slice_in_dim(old, v, place, 0), found, new)

    count = len(jax.tree.leaves(keys)[0])
    empty = jax.tree.map(
        lambda one: _unknown((count, *one.shape), one.dtype), jax.eval_shape(traced, _first(keys))
    )
    first, stop = jnp.clip(jnp.stack([span[0] // width, -(-span[1] // width)]), 0, count // width)
    return jax.lax.fori_loop(first, stop, add, empty)


def _first(tree: Any) -> Any:
    return jax.tree.map(lambda array: array[0], tree)


def _unknown(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.full(shape, jnp.nan if jnp.issubdtype(dtype, jnp.floating) else 0, dtype)
