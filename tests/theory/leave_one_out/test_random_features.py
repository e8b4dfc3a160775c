"""Random features on points at given weights: linear ones against linear theory, tanh against trials."""

import math

import numpy as np
import pytest

import simdiff
from simdiff.data import Digits
from simdiff.theory.leave_one_out import random_features
from simdiff.theory.leave_one_out.noise_draws import Setting, ridge_errors
from simdiff.theory.leave_one_out.population import Population, population_of
from simdiff.theory.leave_one_out.random_features import feature_errors

A2, H = math.exp(-0.2), -math.expm1(-0.2)


@pytest.mark.parametrize("m", [1, 3])
def test_features_that_are_the_data_are_a_linear_denoiser(m):
    """W = sqrt(d) and the identity: the theory of linear denoisers at m draws, a different computation."""
    points = np.random.default_rng(1).standard_normal((900, 40)) * np.linspace(1.6, 0.4, 40)
    law = Population(points, np.linspace(1.6, 0.4, 40) ** 2)
    at = Setting(100, 1.0 / m, A2, H, 0.05)
    found = feature_errors(law, at, math.sqrt(40) * np.eye(40), lambda x: x)
    expected, fewer = ridge_errors(law, at), ridge_errors(law, at._replace(samples=90))
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-2), name
    assert max(abs(found[name] / fewer[name] - 1.0) for name in fewer) > 2e-2


def trained(points, weights, n, m, ridge, trials):
    """(test, train, memorization, objective) of trials by NumPy alone."""
    rng, d, rows = np.random.default_rng(4), points.shape[1], []

    def noisy(x):
        z = rng.standard_normal(x.shape)
        return np.tanh((math.sqrt(A2) * x + math.sqrt(H) * z) @ weights.T / math.sqrt(d)), z

    for _ in range(trials):
        x = points[rng.integers(len(points), size=n)]
        f, z = noisy(np.repeat(x, m, axis=0))
        b = -np.linalg.solve(f.T @ f / len(f) + ridge * np.eye(f.shape[1]), f.T @ z / len(f))
        losses = [np.mean((z + f @ b) ** 2)]
        for source in (points[rng.integers(len(points), size=2000)], np.repeat(x, 2000 // n, axis=0)):
            fresh, noise = noisy(source)
            losses.append(np.mean((noise + fresh @ b) ** 2))
        rows.append((losses[1], losses[0], losses[2], losses[0] + ridge * np.sum(b**2) / d))
    return np.mean(rows, axis=0), np.std(rows, axis=0) / math.sqrt(trials)


@pytest.mark.heavy
@pytest.mark.parametrize(("m", "psi_n"), [(1, 4.0), (4, 1.0)])
def test_trials_on_digits_are_predicted_and_gaussian_theory_is_rejected(m, psi_n):
    law, names = Digits(components=40), ("test", "train", "memorization", "objective")
    weights = np.random.default_rng(7).standard_normal((40, 40))
    n = round(40 * psi_n)
    mean, error = trained(law.population(), weights, n, m, 0.01, 200)
    found = feature_errors(population_of(law), Setting(n, 1.0 / m, A2, H, 0.01), weights, np.tanh)
    model = simdiff.models.RandomFeatures(1.0)
    problem = simdiff.DenoisingScoreMatching(law, model, simdiff.trainers.Ridge(0.01), psi_n, m, 0.1)
    gaussian = simdiff.predict(problem, theory="gaussian_equivalence")
    own, other = (np.array([each[name] for name in names]) for each in (found, gaussian))
    assert np.all(np.abs(mean - own) < 0.015 * own + 3.0 * error)
    assert np.max(np.abs(mean - other) / (0.015 * other + 3.0 * error)) > 1.0


def test_a_fixed_point_that_is_not_found_is_said(monkeypatch):
    monkeypatch.setattr(random_features, "ROUNDS", 1)
    points = np.random.default_rng(1).standard_normal((50, 4))
    at = Setting(8, 1.0, A2, H, 0.05)
    assert feature_errors(Population(points, np.ones(4)), at, np.eye(4), np.tanh) is None
