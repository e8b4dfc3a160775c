"""Differences: both problems' own trials from one key; what they share drops out; p-values say so."""

import dataclasses

import jax
import numpy as np
import pytest
from toy_problems import Mean, Path, mean_theory

import simdiff
from simdiff.parts.build import build_problem
from simdiff.problems.difference.problem import Difference
from simdiff.run.verbs import problem_name


def denoising(ridge, m=1):
    trainer = simdiff.trainers.Ridge(ridge)
    model = simdiff.models.RandomFeatures(psi_p=2.0)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=1.5, m=m)


@pytest.mark.parametrize("metric", ["test", "train"])
def test_a_trial_is_the_difference_of_both_trials_with_its_key(metric):
    trainers = (simdiff.trainers.Ridge(ridge) for ridge in (0.01, 0.1))
    first, second = (simdiff.LinearSampling(trainer=one, kl=False, samples=0) for one in trainers)
    kernel, inputs = Difference(first, second).kernel(16)
    key = jax.random.key(3)
    values = [float(jax.jit(k)(key, i)[metric]) for k, i in (p.kernel(16) for p in (first, second))]
    assert float(jax.jit(kernel)(key, inputs)[metric]) == pytest.approx(
        values[1] - values[0], rel=1e-5, abs=1e-7
    )


@pytest.mark.heavy
def test_common_random_numbers_leave_less_noise():
    first, second = denoising(0.01), denoising(0.012)
    paired = simdiff.simulate(Difference(first, second), 24, 16)["test"]
    apart = [simdiff.simulate(problem, 24, 16)["test"] for problem in (first, second)]
    assert paired.std() < 0.15 * np.hypot(*(values.std() for values in apart))


def test_theory_is_the_difference_of_theories():
    first, second = denoising(0.01), denoising(0.1)
    found, one, two = (simdiff.predict(problem) for problem in (Difference(first, second), first, second))
    assert found["test"] == pytest.approx(two["test"] - one["test"], rel=1e-12)


ASKED = {"sizes": (20, 40, 80), "precision": 0.2, "extrapolation": (1.0,), "max_trials": 64}


@dataclasses.dataclass(frozen=True)
class Shifted(Mean):
    """`Mean` with the same noise, and `value` moved by a little."""

    by: float = 0.0

    def trial(self, key, d):
        found = super().trial(key, d)
        own = 0.01 * jax.random.normal(jax.random.fold_in(key, 7), dtype="float64")
        return found | {"value": found["value"] + self.by + own}


@pytest.mark.heavy
def test_a_difference_far_below_the_noise_of_either_is_seen_and_none_is_not():
    """It is 0.3 standard deviations of one trial; without pairing the error would be five times as large."""
    table = simdiff.difference(Mean(), Shifted(by=0.015), theory=lambda p: {"value": 0.015}, **ASKED)
    row = table.set_index("metric").loc["value"]
    assert row["p_value"] < 1e-4
    assert row["difference"] == pytest.approx(0.015, abs=4 * row["stderr"])
    none = simdiff.difference(Mean(), Shifted(by=0.0), theory=lambda p: {}, **ASKED).set_index("metric")
    assert none.loc["value", "p_value"] > 0.01


@pytest.mark.heavy
def test_p_values_of_no_difference_are_uniform():
    """24 seeds: the share below 0.25 has a standard deviation of 0.088; 3 of them each way."""
    found = [
        simdiff.difference(Mean(), Shifted(), theory=lambda p: {}, seed=seed, **ASKED | {"precision": 1.0})
        for seed in range(24)
    ]
    small = np.mean([table.set_index("metric").loc["value", "p_value"] < 0.25 for table in found])
    assert 0 < small <= 0.51


def test_what_cannot_be_compared_is_told():
    for second in (denoising(0.1), Path()):
        with pytest.raises(simdiff.InputError):
            Difference(Mean(), second)


def test_it_comes_back_from_plain_values():
    problem = Difference(denoising(0.01), denoising(0.1, m=np.inf))
    fields = problem.describe() | {"problem": problem_name(problem)}
    assert build_problem(fields).digest() == problem.digest()
    assert simdiff.validate(Difference(Mean(), Mean(level=3.0)), None, **ASKED).table["theory"].isna().all()
    assert mean_theory(Mean())["value"] == 2.0
