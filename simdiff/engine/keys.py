"""Random keys: a trial's numbers depend on (problem, d, seed, trial) and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, UInt32

from simdiff.engine.threefry import ON_HOST, threefry
from simdiff.errors import InputError
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem


@with_pinned_settings
def trial_keys(problem: Problem, d: int, seed: int, trials: Sequence[int]) -> Array:
    """One key for each trial index.

    They are `jax.random.fold_in` of the two halves of the problem's digest, d and the trial into
    `jax.random.key(seed)`, one after the other, found on the host: JAX would compile three programs for it.
    """
    digest = int(problem.stream(), 16)
    key = np.array([0, check_seed(seed)], np.uint32)
    for word in (digest >> 32, digest & 0xFFFFFFFF, d):
        key = _folded(key, np.array(word, np.uint32))
    words = _folded(key, np.array(trials, np.uint32))
    return jax.random.wrap_key_data(jax.device_put(words), impl="threefry2x32")


def _folded(key: UInt32[np.ndarray, " 2"], word: UInt32[np.ndarray, "*t"]) -> UInt32[np.ndarray, "*t 2"]:
    """The words of `jax.random.fold_in(key, word)`."""
    with np.errstate(over="ignore"):  # words are numbers modulo 2^32
        return np.stack(threefry((key[0], key[1]), (np.zeros_like(word), word), ON_HOST), axis=-1)


def check_seed(seed: int) -> int:
    """A seed as jax.random.key takes it."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InputError("seed", seed, "an integer from 0 to 2^32 - 1")
    return int(seed)
