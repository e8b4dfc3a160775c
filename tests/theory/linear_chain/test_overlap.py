"""Two models trained on independent sets: overlaps in theory, in trials and of dense matrices."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Digits, Gaussian, PowerLaw
from simdiff.engine import trial_keys
from simdiff.engine.random_numbers import normal_rows
from simdiff.theory.linear_chain import one_point
from simdiff.theory.linear_chain.one_point import SpectralLaw
from simdiff.theory.linear_chain.overlap import exact_map_square
from simdiff.trainers import GradientFlow, Ridge

NAMES = ("consistency", "spread")


def two(data, trainer, psi_n, **more):
    return simdiff.LinearSampling(data, trainer, psi_n=psi_n, samples=0, splits=2, kl=False, **more)


CASES = {
    "fewer samples than dimensions": (two(Gaussian(), None, 0.25), 40, 80),
    "as many": (two(PowerLaw(0.5), None, 1.0), 40, 80),
    "ridge": (two(PowerLaw(1.0), Ridge(0.1), 0.5), 40, 80),
    "stopped": (two(Gaussian(([0.5, 1.5], [0.5, 0.5])), GradientFlow((1.0, 10.0)), 2.0), 40, 80),
}


def pulls(problem, theory, d, trials):
    rows = simdiff.simulate(problem, d=d, trials=trials, seed=6)
    times = [rows] if "time" not in rows else [part for _, part in rows.groupby("time")]
    return [
        (part[name].mean() - number) / (part[name].std() / trials**0.5)
        for name in NAMES
        for part, number in zip(times, np.ravel(theory[name]), strict=True)
    ]


@pytest.mark.parametrize("name", CASES)
def test_trials_overlap_as_theory_says_and_not_as_with_other_samples(name):
    problem, d, trials = CASES[name]
    own = simdiff.predict(problem, d=d)
    assert np.abs(pulls(problem, own, d, trials)).max() < 3.6  # 10 numbers: exceeded in 1 of 310 runs
    other = simdiff.predict(dataclasses.replace(problem, psi_n=1.25 * problem.psi_n), d=d)
    assert np.abs(pulls(problem, other, d, trials)).max() > 6.0


@pytest.mark.heavy
def test_digits_overlap_as_leave_one_out_theory_says_and_gaussian_theory_is_rejected():
    problem, trials = two(Digits(components=40), Ridge(0.05), 1.0), 60
    assert np.abs(pulls(problem, simdiff.predict(problem), 40, trials)).max() < 3.6
    gaussian = simdiff.predict(problem, theory="linear_sampling", d=40)
    assert np.abs(pulls(problem, gaussian, 40, trials)).max() > 3.6


def test_a_trial_is_what_dense_roots_give():
    problem, d = two(PowerLaw(1.0), Ridge(0.1), 0.5), 20
    (key,) = trial_keys(problem, d, 3, range(1))
    s = problem.at_size(d).data.spectrum()[0]
    roots = []
    for stream in (1, 4):
        x = np.asarray(normal_rows(jax.random.fold_in(key, stream), jnp.arange(10), d), float) * np.sqrt(s)
        values, vectors = np.linalg.eigh((x.T @ x / 10 + 0.1 * np.eye(d)) / 0.9)
        roots.append((vectors * np.sqrt(values)) @ vectors.T)
    row = simdiff.simulate(problem, d=d, trials=1, seed=3).iloc[0]
    assert row["consistency"] == pytest.approx(np.trace(roots[0] @ roots[1]) / s.sum(), rel=1e-5)
    assert row["spread"] == pytest.approx(np.sum((roots[0] - roots[1]) ** 2) / d, rel=1e-5)


def test_the_mean_root_of_a_marchenko_pastur_law():
    """Isotropic data: tr D^2 / d is the square of the mean root, a one-dimensional integral."""
    for psi_n in (0.25, 1.0, 2.0):
        q = 1.0 / psi_n
        low, high = (1 - math.sqrt(q)) ** 2, (1 + math.sqrt(q)) ** 2
        angle = math.pi * (np.arange(4000) + 0.5) / 4000
        x = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angle)
        density = np.sqrt((high - x) * (x - low)) / (2 * math.pi * q * x)
        root = np.sum(np.sqrt(x) * density * 0.5 * (high - low) * np.sin(angle)) * math.pi / 4000
        found = exact_map_square(SpectralLaw(np.ones(1), np.ones(1), psi_n))[0]
        assert found == pytest.approx(root**2, rel=1e-5)


def test_a_spectrum_that_begins_at_zero_is_followed_to_it():
    """Equal eigenvalues in the limit at N = d: the mean root of the quarter circle law is 8 / (3 pi)."""
    found = simdiff.predict(two(PowerLaw(0.0), None, 1.0))
    assert found["consistency"] == pytest.approx((8.0 / (3.0 * math.pi)) ** 2, rel=1e-6)


def test_a_solution_that_is_lost_is_nan_soon(monkeypatch):
    tried = []
    monkeypatch.setattr(one_point, "_newton", lambda *at: tried.append(at) or complex(math.nan, math.nan))
    law = SpectralLaw(np.ones(1), np.ones(1), 2.0)
    assert np.isnan(one_point.companion(law, np.array([1j, 2j]))).all()
    assert len(tried) < 4 * one_point.HALVINGS


def test_one_split_is_the_problem_that_it_was():
    plain = simdiff.LinearSampling()
    assert plain.digest() == "b6d219d433b00f0f"  # before there were splits
    assert "splits" not in plain.describe()
    assert dataclasses.replace(plain, splits=2).digest() != plain.digest()
    assert {*NAMES} <= {metric.name for metric in dataclasses.replace(plain, splits=2).metrics}
    for bad in ({"splits": 3}, {"splits": 0}, {"splits": 2, "bias": True}):
        with pytest.raises(simdiff.InputError, match="splits: got"):
            simdiff.LinearSampling(**bad)
