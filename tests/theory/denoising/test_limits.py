"""Limits with exact answers, and identities that hold at every point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from theory_points import ERF, IDENTITY, METRICS, RELU, TANH, corners, make

from simdiff.theory.denoising.gaussian_equivalence import predict, predict_many

SPECTRUM = ([0.25, 4.0], [0.8, 0.2])
TIME = 0.3
A2, H = math.exp(-2 * TIME), -math.expm1(-2 * TIME)


def marchenko_pastur(ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the spectrum of a sample covariance of N(0, I); ratio = d/n < 1."""
    theta = (np.arange(4000) + 0.5) * math.pi / 4000
    x = 1 + ratio + 2 * math.sqrt(ratio) * np.cos(theta)
    w = np.sin(theta) ** 2 / x
    return x, w / w.sum()


@pytest.fixture(scope="module")
def linear_ridge():
    """Infinitely many linear features are ridge regression on x_t itself; m = infinity, x ~ N(0, I).

    The minimiser is then -sqrt(h) (a^2 Sigma_hat + h + ridge/psi_p)^{-1}, a function of Sigma_hat.
    """
    psi_n, effective = 2.5, 0.07
    x, w = marchenko_pastur(1 / psi_n)
    f = 1.0 / (A2 * x + H + effective)
    first = w @ f
    expected = {
        "test": 1 - 2 * H * first + H * (w @ f**2),
        "train": 1 - 2 * H * first + H * (w @ ((A2 * x + H) * f**2)),
        "objective": 1 - H * first,
    }
    expected["memorization"] = expected["train"]
    expected["score"] = (expected["test"] - A2) / H
    psi_p = 1e8
    return expected, predict(make(psi_n, psi_p, math.inf, TIME, effective * psi_p, IDENTITY))


def test_linear_features_are_linear_ridge_regression(linear_ridge):
    expected, found = linear_ridge
    assert found == pytest.approx(expected, rel=1e-6)


def test_linear_ridge_at_a_ridge_off_by_one_percent_is_told_apart(linear_ridge):
    expected, _ = linear_ridge
    wrong = predict(make(2.5, 1e8, math.inf, TIME, 0.07 * 1.01e8, IDENTITY))
    assert all(abs(wrong[name] / expected[name] - 1) > 1e-5 for name in METRICS)


@pytest.mark.parametrize("m", [1, 3, math.inf])
def test_infinite_ridge_is_the_zero_network(m):
    found = predict(make(1.5, 3.0, m, TIME, 1e9, RELU, SPECTRUM))
    values, weights = (np.array(part) for part in SPECTRUM)
    score = float(weights @ (1.0 / (A2 * values + H)))
    zero = {"test": 1.0, "train": 1.0, "memorization": 1.0, "objective": 1.0, "score": score}
    assert found == pytest.approx(zero, rel=1e-6)


def test_unlimited_data_and_linear_features_reach_the_bayes_floor():
    found = predict(make(1e7, 1e3, 2, TIME, 1e-6, IDENTITY, SPECTRUM))
    values, weights = (np.array(part) for part in SPECTRUM)
    floor = float(weights @ (A2 * values / (A2 * values + H)))
    for name in ("test", "train", "memorization", "objective"):
        assert found[name] == pytest.approx(floor, rel=1e-5)
    assert 0 < found["score"] < 1e-5


@pytest.mark.parametrize("rho", [TANH, RELU, ERF])
def test_finite_m_tends_to_infinite_m_as_one_over_m(rho):
    limit = predict(make(0.8, 1.5, math.inf, TIME, 1e-3, rho, SPECTRUM))
    gaps = {m: predict(make(0.8, 1.5, m, TIME, 1e-3, rho, SPECTRUM)) for m in (10**4, 10**5, 10**9)}
    for name in METRICS:
        near, nearer, nearest = (gaps[m][name] - limit[name] for m in (10**4, 10**5, 10**9))
        assert abs(nearest) < 1e-7 * limit[name]
        assert near / nearer == pytest.approx(10, rel=0.02)


def test_memorization_is_train_at_infinite_m():
    found = predict(make(0.8, 40.0, math.inf, TIME, 1e-6, TANH, SPECTRUM))
    assert found["memorization"] == pytest.approx(found["train"], rel=1e-12)


def test_infinitely_many_features_change_nothing_more():
    """At fixed ridge / psi_p the number of features drops out like 1/psi_p."""
    rows = [predict(make(0.8, psi, 3, TIME, 1e-3 * psi, TANH, SPECTRUM)) for psi in (1e3, 1e4, 1e7)]
    for name in METRICS:
        near, nearer = rows[0][name] - rows[2][name], rows[1][name] - rows[2][name]
        assert near / nearer == pytest.approx(10, rel=0.05)


def test_splitting_an_atom_and_an_empty_atom_change_nothing():
    plain = predict(make(0.8, 1.5, 3, TIME, 1e-3, TANH, SPECTRUM))
    split = ([0.25, 0.25, 4.0, 7.0], [0.5, 0.3, 0.2, 0.0])
    assert predict(make(0.8, 1.5, 3, TIME, 1e-3, TANH, split)) == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("m", [1, 2, 20, math.inf])
@pytest.mark.parametrize(("psi_n", "psi_p"), [(0.5, 3.0), (2.0, 2.0), (4.0, 0.7)])
def test_train_is_the_objective_less_its_slope(m, psi_n, psi_p):
    """Envelope theorem: d objective / d ridge = ||B||^2 / d, so train = objective - ridge * slope."""
    ridge, step = 1e-3, 1e-4

    def at(factor: float) -> dict[str, float]:
        return predict(make(psi_n, psi_p, m, TIME, ridge * factor, TANH, SPECTRUM))

    slope = (at(math.exp(step))["objective"] - at(math.exp(-step))["objective"]) / (2 * step)
    here = at(1.0)
    # The difference is off by step^2/6 of a third derivative, some 1e-9 of the objective.
    assert abs(here["objective"] - slope - here["train"]) < 1e-8 * here["objective"]
    assert abs(here["test"] - here["objective"] + slope) > 1e-3 * here["test"]


def test_train_keeps_its_relative_accuracy_as_it_vanishes():
    """Interpolating (p > n m): objective ~ ridge and train ~ ridge^2 all the way down."""
    rows = [predict(make(0.5, 3.0, 2, 0.1, ridge, TANH)) for ridge in (1e-7, 1e-8)]
    assert rows[0]["train"] / rows[1]["train"] == pytest.approx(100, rel=1e-4)
    assert rows[0]["objective"] / rows[1]["objective"] == pytest.approx(10, rel=1e-4)


def test_every_corner_gives_possible_numbers():
    problems = corners(2000, seed=5)
    values = {name: np.array([row[name] for row in predict_many(problems)]) for name in METRICS}
    assert all(np.isfinite(v).all() and (v > 0).all() for v in values.values())
    assert (values["objective"] < 1).all()
    assert (values["train"] <= values["objective"] * (1 + 1e-12)).all()
    assert (values["train"] <= values["memorization"] * (1 + 1e-12)).all()
    for test, score, problem in zip(values["test"], values["score"], problems, strict=True):
        eigenvalues, weights = problem.data.spectrum()
        a2, h = math.exp(-2 * problem.t), -math.expm1(-2 * problem.t)
        floor = weights @ (a2 * eigenvalues / (a2 * eigenvalues + h))
        assert test - h * score == pytest.approx(floor, abs=1e-12 * test)
