"""A key depends on the problem, the size, the seed and the trial, and on nothing else."""

import dataclasses

import jax
import numpy as np
import pytest
from toy_problems import Mean, Path

import simdiff
from simdiff.engine import check_seed, trial_keys
from simdiff.errors import InputError


def words(problem=None, d=40, seed=0, trials=range(8)):
    return np.asarray(jax.random.key_data(trial_keys(problem or Mean(), d, seed, trials)))


def test_keys_do_not_depend_on_their_batch():
    whole = words()
    np.testing.assert_array_equal(words(trials=[7, 2, 5, 0, 1, 3, 4, 6]), whole[[7, 2, 5, 0, 1, 3, 4, 6]])
    np.testing.assert_array_equal(words(trials=range(2, 10))[:6], whole[2:])


@dataclasses.dataclass(frozen=True)
class Renamed(Mean):
    """The same numbers under another name."""


Elsewhere = type(
    "Mean", (Mean,), {"__module__": "elsewhere", "__doc__": "Another file's class of that name."}
)


@pytest.mark.parametrize(
    "other",
    [
        {"problem": Mean(level=2.5)},
        {"problem": Mean(slope=0.0)},
        {"problem": Path()},
        {"problem": Renamed()},
        {"problem": Elsewhere()},
        {"d": 41},
        {"seed": 1},
        {"trials": range(8, 16)},
    ],
    ids=str,
)
def test_anything_else_changes_every_key(other):
    assert not set(map(tuple, words())) & set(map(tuple, words(**other)))


def test_equal_problems_have_equal_keys():
    np.testing.assert_array_equal(words(Mean(level=2)), words(Mean(level=2.0)))


def test_keys_are_folded_as_jax_folds():
    digest = int(Mean().stream(), 16)
    key = jax.random.key(7, impl="threefry2x32")
    for word in (digest >> 32, digest & 0xFFFFFFFF, 40):
        key = jax.random.fold_in(key, np.uint32(word))
    expected = [jax.random.key_data(jax.random.fold_in(key, trial)) for trial in (0, 3, 2**31 + 5)]
    np.testing.assert_array_equal(words(seed=7, trials=[0, 3, 2**31 + 5]), expected)


def test_known_keys_never_change():
    """Stored trials are continued by later versions: these numbers are part of the format."""
    assert words(seed=7)[[0, 5]].tolist() == [[402436589, 3442844735], [4198937370, 1951314818]]


def test_no_two_of_many_keys_are_equal():
    keys = np.concatenate([words(d=d, seed=seed) for d in range(20, 30) for seed in range(4)])
    assert len(np.unique(keys, axis=0)) == len(keys)


def test_digests_tell_problems_apart():
    base = simdiff.DenoisingScoreMatching()
    others = [dataclasses.replace(base, psi_n=2.001), dataclasses.replace(base, m=2)]
    others += [dataclasses.replace(base, m=float("inf")), dataclasses.replace(base, t=0.2)]
    others += [dataclasses.replace(base, model=simdiff.models.RandomFeatures(4.0, "erf"))]
    others += [dataclasses.replace(base, data=simdiff.data.PowerLaw(1.0))]
    assert len({problem.digest() for problem in [base, *others]}) == 7
    assert base.digest() == dataclasses.replace(base).digest()
    assert len(base.digest()) == 16


@pytest.mark.parametrize("seed", [-1, 2**32, True])
def test_a_bad_seed_is_named(seed):
    with pytest.raises(InputError, match=f"seed: got {seed}; allowed: an integer from 0"):
        check_seed(seed)
