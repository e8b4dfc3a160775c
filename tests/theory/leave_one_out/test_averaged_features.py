"""Random features on points at m = infinity: against linear theory, quadrature by NumPy, and trials."""

import math

import numpy as np
import pytest

import simdiff
from simdiff.analysis import errors_given_weights, features_against_theory
from simdiff.data import Digits
from simdiff.functions.activations import activation
from simdiff.models import RandomFeatures
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.leave_one_out import equivalent, mean_features
from simdiff.theory.leave_one_out.averaged_features import averaged_errors, noise_averages
from simdiff.theory.leave_one_out.noise_draws import Setting, ridge_errors
from simdiff.theory.leave_one_out.population import Population, population_of
from simdiff.trainers import GradientFlow, Ridge

A2, H = math.exp(-0.2), -math.expm1(-0.2)
AT = Setting(100, 0.0, A2, H, 0.05)
LAW = Digits(components=40)


def points_of(d=12, count=600):
    scales = np.linspace(1.6, 0.4, d)
    lengths = np.random.default_rng(2).gamma(4.0, 0.25, (count, 1)) ** 0.5
    x = np.random.default_rng(1).standard_normal((count, d)) * scales * lengths
    return Population(x, scales**2)


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_averages_are_those_of_quadrature_in_two_dimensions(name):
    points, weights = points_of(count=7), np.random.default_rng(3).standard_normal((3, 12))
    found = noise_averages(points, AT, weights, activation(name))
    grid, share = np.polynomial.hermite_e.hermegauss(120)
    share = np.outer(share, share) / (2.0 * math.pi)
    f = {"tanh": np.tanh, "relu": lambda u: np.maximum(u, 0.0)}[name]
    shift, rows = math.sqrt(A2 / 12) * points.points @ weights.T, math.sqrt(H / 12) * weights
    along = rows[0] / np.linalg.norm(rows[0])
    across = rows[1] - (rows[1] @ along) * along
    across /= np.linalg.norm(across)
    first = f(shift[:, 0, None, None] + (rows[0] @ along) * grid[:, None])
    second = f(shift[:, 1, None, None] + (rows[1] @ along) * grid[:, None] + (rows[1] @ across) * grid)
    mean = [np.sum(share * values, axis=(1, 2)) for values in (first * np.ones((120, 120)), second)]
    together = np.sum(share * first * second, axis=(1, 2))
    answer = np.sum(share * second * grid, axis=(1, 2)).mean()  # along the second direction
    close = {"tanh": 1e-6, "relu": 2e-3}[name]  # of this quadrature, which does not split at kinks
    assert found.means[:, 1] == pytest.approx(mean[1], abs=close)
    assert found.apart[0, 1] == pytest.approx((together - mean[0] * mean[1]).mean(), abs=close)
    assert found.answer[1] @ across == pytest.approx(answer, abs=close)


def test_features_that_are_the_data_are_a_linear_denoiser():
    """W = sqrt(d) and the identity: the theory of linear denoisers at very many draws, solved otherwise."""
    points, weights = points_of(), math.sqrt(12) * np.eye(12)
    found = averaged_errors(points, AT, weights, activation("identity"))
    expected, fewer = (ridge_errors(points, AT._replace(samples=n, i=1e-9)) for n in (100, 99))
    assert found == pytest.approx(expected, rel=1e-6)
    assert max(abs(found[name] / fewer[name] - 1.0) for name in found) > 1e-4


def test_of_many_points_single_precision_serves_to_begin_with(monkeypatch):
    points = points_of()
    weights = np.random.default_rng(4).standard_normal((20, 12))
    few = averaged_errors(points, AT, weights, activation("tanh"))
    monkeypatch.setattr(equivalent, "MANY", 100)
    monkeypatch.setattr("simdiff.theory.leave_one_out.slope.MANY", 100)
    assert averaged_errors(points, AT, weights, activation("tanh")) == pytest.approx(few, rel=3e-6)


def problem(model=None, trainer=None, psi_n=4.0, m=math.inf):
    model, trainer = model or RandomFeatures(1.0), trainer or Ridge(0.01)
    return simdiff.DenoisingScoreMatching(LAW, model, trainer, psi_n, m, 0.1)


def trained(points, weights, at, trials):
    """(trials, 4) test, train, memorization, objective; `noise_averages` of a sample are its U and V."""
    rng, rho, d = np.random.default_rng(6), activation("tanh"), weights.shape[1]

    def moments(x):
        found = noise_averages(Population(x, points.eigenvalues), at, weights, rho)
        return found.means.T @ found.means / len(x) + found.apart, found.answer

    def loss(b, u, v):
        return 1.0 + np.sum(b * (2.0 * v + u @ b)) / d

    whole, rows = moments(points.points), []
    for _ in range(trials):
        own = moments(points.points[rng.integers(len(points.points), size=at.samples)])
        b = -np.linalg.solve(own[0] + at.ridge * np.eye(len(weights)), own[1])
        train = loss(b, *own)
        rows.append((loss(b, *whole), train, train, train + at.ridge * np.sum(b**2) / d))
    return np.array(rows)


def test_trials_by_numpy_are_predicted_and_gaussian_theory_is_rejected():
    points, weights = population_of(LAW), np.random.default_rng(7).standard_normal((40, 40))
    at = Setting(160, 0.0, A2, H, 0.01)
    rows = trained(points, weights, at, 100)
    mean, error = rows.mean(axis=0), rows.std(axis=0) / len(rows) ** 0.5
    found = averaged_errors(points, at, weights, activation("tanh"))
    other = simdiff.predict(problem(), theory="gaussian_equivalence")
    own, gaussian = (np.array([each[name] for name in found]) for each in (found, other))
    assert np.all(np.abs(mean - own) < 0.001 * own + 3.0 * error)  # order 1/n is 0.05% here
    assert np.all(np.abs(mean - gaussian) > 0.005 * gaussian + 3.0 * error)


@pytest.mark.heavy
def test_trials_on_digits_are_predicted_at_their_weights_and_gaussian_theory_is_rejected():
    asked = problem()
    found = features_against_theory(asked, trials=24, seed=3).set_index("metric")
    gaussian = simdiff.predict(asked, theory="gaussian_equivalence")
    off = {name: (row["estimate"] - gaussian[name]) / row["stderr"] for name, row in found.iterrows()}
    assert np.all(np.abs(found["difference"]) < 3.5 * found["stderr"])
    assert np.all(found["stderr"] < 0.005 * found["theory"])
    assert min(abs(off["train"]), abs(off["objective"])) > 8.0


def test_the_theory_of_a_problem_is_the_mean_over_weights(monkeypatch):
    monkeypatch.setattr(mean_features, "FEWEST", 3)
    monkeypatch.setattr(mean_features, "ACCURACY", 1.0)
    asked, rng = problem(), np.random.default_rng(mean_features.SEED)
    rows = [errors_given_weights(asked, rng.standard_normal((40, 40))) for _ in range(3)]
    mean = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    assert simdiff.predict(asked, theory="leave_one_out") == pytest.approx(mean, rel=1e-12)


def test_what_it_does_not_cover_is_one_line_or_nan(monkeypatch):
    for asked, message in (
        (problem(m=2), "m: got 2; allowed: math.inf"),
        (problem(trainer=GradientFlow((1.0,))), "trainer: got 'GradientFlow'"),
    ):
        with pytest.raises(simdiff.InputError, match=message):
            simdiff.predict(asked, theory="leave_one_out")
    monkeypatch.setattr(mean_features, "MOST", 3)
    with pytest.warns(ConvergenceWarning, match="leave_one_out at N = 160 is nan"):
        found = simdiff.predict(problem(), theory="leave_one_out")
    assert all(math.isnan(value) for value in found.values())
    assert errors_given_weights(problem(), np.ones((2, 40)))["test"] > 0.0
