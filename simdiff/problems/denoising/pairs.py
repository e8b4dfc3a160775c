"""The training set of denoising score matching as a stream of rows.

Row r of the n m training pairs is draw r mod m of sample r // m. Rows come in blocks, so memory does
not grow with n m.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Frame, Sampler
from simdiff.engine.random_numbers import normal_rows, streams


class Keys(NamedTuple):
    """One trial's independent streams."""

    frame: Array
    weights: Array
    samples: Array
    noise: Array
    fresh_noise: Array
    training: Array
    test_samples: Array
    test_noise: Array


def split_keys(key: Array) -> Keys:
    """Every stream from a trial's key."""
    return Keys(*streams(key, len(Keys._fields)))


class Pairs(NamedTuple):
    """What a row is made from. `stored` holds the samples when they fit, or is None."""

    keys: Keys
    frame: Frame
    a: Array
    h: Array
    n: Array
    m: Array
    stored: Array | None


def make_pairs(sampler: Sampler, key: Array, inputs: dict, stored_rows: int) -> Pairs:
    """The pairs of one trial; `stored_rows` samples are kept in memory (0: drawn again when needed)."""
    keys = split_keys(key)
    frame = sampler.frame(keys.frame, inputs["data"])
    stored = sampler.sample(keys.samples, frame, jnp.arange(stored_rows)) if stored_rows else None
    return Pairs(keys, frame, inputs["a"], inputs["h"], inputs["n"], inputs["m"], stored)


def samples(sampler: Sampler, pairs: Pairs, index: Array) -> Float[Array, "r d"]:
    """The samples x_i of the given indices."""
    if pairs.stored is None:
        return sampler.sample(pairs.keys.samples, pairs.frame, index)
    return pairs.stored[jnp.minimum(index, pairs.stored.shape[0] - 1)]


def noisy(
    sampler: Sampler, pairs: Pairs, index: Array, noise_key: Array, rows: Array, d: int, dtype: type
) -> tuple[Float[Array, "r d"], Float[Array, "r d"]]:
    """(a x_i + sqrt(h) z, z) in the given type, z the given rows of the stream `noise_key`."""
    z = normal_rows(noise_key, rows, d).astype(dtype)
    x = samples(sampler, pairs, index).astype(dtype)
    return pairs.a.astype(dtype) * x + jnp.sqrt(pairs.h).astype(dtype) * z, z
