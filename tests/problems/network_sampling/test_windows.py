"""Trainings at all noise levels that are killed in the middle end with the same curve, to the bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dying_keeper import DyingKeeper, Killed, curve_of, often_kept, undisturbed

import simdiff
from simdiff.analysis import generated_samples
from simdiff.engine import Session


def init(key, d):
    return {"w": jax.random.normal(key, (d, d)) / d, "b": jnp.ones(d)}


def apply(params, x, t):
    return jnp.tanh(params["w"] @ x) + params["b"] * t


PROBLEM = simdiff.NetworkSampling(
    model=simdiff.models.Network(init, apply, predicts="noise", extrapolates=True),
    trainer=simdiff.trainers.Optax("adam", 0.02, 32, 4, "fresh", schedule="cosine", records=3, ema=0.9),
    psi_n=1.0,
    schedule=simdiff.sampling.DDPM(2, 0.2, 0.5),
    samples=2,
    splits=2,
)

PARTS = {"parameters": 0, "Adam's memory": 3, "average": 8, "step of divergence": 10, "records": 11}
"""The first array of each in a state: two of parameters, five of Adam, a count of the schedule, ..."""


curve = functools.partial(curve_of, PROBLEM, 4)


@pytest.fixture(scope="module")
def often():
    return often_kept()


@pytest.fixture(scope="module")
def whole(often):
    return undisturbed(often, curve)


@pytest.mark.heavy
def test_windows_end_with_the_curve_of_a_program_without_any(whole):
    np.testing.assert_array_equal(curve(Session()), whole)


@pytest.mark.heavy
def test_killed_again_and_again_it_ends_with_the_same_curve(often, whole, tmp_path):
    assert np.isfinite(whole).all()
    last = 0
    for saves in (1, 4, 2, 5, 3):
        keeper = DyingKeeper(tmp_path, saves)
        with pytest.raises(Killed):
            curve(often, keeper)
        assert keeper.steps[0] == last + 2  # it went on where the last one was
        last = keeper.steps[-1]
    np.testing.assert_array_equal(curve(often, DyingKeeper(tmp_path)), whole)
    assert 32 > last > 15


def test_every_part_of_a_state_counts(often, whole, tmp_path):
    with pytest.raises(Killed):
        curve(often, DyingKeeper(tmp_path, 8))
    often.checkpoint = 1e3
    (file,) = tmp_path.glob("trials/*/*.npz")
    with np.load(file) as kept:
        arrays = dict(kept)
    assert len(arrays) == PARTS["records"] + len(PROBLEM.metrics) + 3  # step, seconds, and what it is of
    for part, number in PARTS.items():
        changed = arrays[str(number)].copy()
        changed[3::4] ^= 1  # a bit of the exponent; 2^24 in a whole number
        np.savez(file, **arrays | {str(number): changed})
        assert not np.array_equal(curve(often, DyingKeeper(tmp_path)), whole), part


def test_what_is_generated_has_the_metrics_of_the_trial(whole):
    """Of trial 1 at the last step, and not those of another trial."""
    names = [metric.name for metric in PROBLEM.metrics]
    row = dict(zip(names, whole[2], strict=True))
    for trial, same in ((1, True), (0, False)):
        found = generated_samples(PROBLEM, 4, seed=3, trial=trial)
        near = np.take_along_axis(found.points, found.nearest()[..., None], axis=1)
        measured = {
            "nearest_training": np.mean((near - found.samples) ** 2),
            "spread": np.mean((found.samples[0] - found.samples[1]) ** 2),
        }
        close = [np.isclose(value, row[name], rtol=1e-3) for name, value in measured.items()]
        assert all(close) if same else not any(close)


@pytest.mark.parametrize(
    ("settings", "words"), [({"trial": -1}, "trial: got -1"), ({"d": 0}, "d: got 0"), ({"seed": -1}, "seed")]
)
def test_bad_arguments_are_named(settings, words):
    with pytest.raises(simdiff.InputError, match=words):
        generated_samples(PROBLEM, **({"d": 4} | settings))


def test_another_problem_generates_nothing():
    with pytest.raises(simdiff.InputError, match="problem: got"):
        generated_samples(simdiff.LinearSampling(), 4)
