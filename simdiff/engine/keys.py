"""Random keys: a trial's numbers depend on (problem, d, seed, trial) and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array

from simdiff.errors import InputError
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem


@with_pinned_settings
def trial_keys(problem: Problem, d: int, seed: int, trials: Sequence[int]) -> Array:
    """One key for each trial index."""
    digest = int(problem.stream(), 16)
    key = jax.random.key(check_seed(seed), impl="threefry2x32")
    words = np.array([digest >> 32, digest & 0xFFFFFFFF, d], np.uint32)
    return _fold(key, words, np.array(trials, np.uint32))


@jax.jit
def _fold(key: Array, words: Array, trials: Array) -> Array:
    for word in words:
        key = jax.random.fold_in(key, word)
    return jax.vmap(lambda trial: jax.random.fold_in(key, trial))(trials)


def check_seed(seed: int) -> int:
    """A seed as jax.random.key takes it."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InputError("seed", seed, "an integer from 0 to 2^32 - 1")
    return int(seed)
