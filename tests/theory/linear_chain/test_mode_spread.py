"""The spread of two models along every mode: its mean is the metric, and a two-point formula agrees."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import brentq

import simdiff
from simdiff.analysis import spread_by_mode
from simdiff.data import Elliptical, Gaussian, Patches, PowerLaw
from simdiff.theory.leave_one_out.contour_rule import Functionals
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.linear_chain.one_point import SpectralLaw
from simdiff.theory.linear_chain.overlap import exact_map
from simdiff.trainers import GradientFlow, Ridge


def two(data, trainer=None, psi_n=0.5):
    return simdiff.LinearSampling(data, trainer, psi_n=psi_n, samples=0, splits=2, kl=False)


@pytest.mark.parametrize(
    "problem",
    [two(PowerLaw(1.0)), two(PowerLaw(0.5), Ridge(0.1)), two(Gaussian(), GradientFlow((1.0, 10.0)), 2.0)],
)
def test_its_average_is_the_metric(problem):
    found = spread_by_mode(problem, 24)
    expected = simdiff.predict(problem, d=24)["spread"]
    np.testing.assert_allclose(found.spread @ found.weights, expected, rtol=1e-5)


def test_without_ridge_it_is_twice_the_two_point_variance():
    """Var of (Sigma_hat^{1/2} z)_k as a double integral over resolvents: another formula altogether.

    (4/pi^2) int int kappa kappa' tr[S (S + kappa)^-1 (S + kappa')^-1] / (n - df2) s_k / ((s_k + kappa)(s_k +
    kappa')), kappa at u^2 from kappa - u^2 = (kappa/n) tr S (S + kappa)^-1.
    """
    d, n = 30, 15
    s = PowerLaw(1.0, d).spectrum()[0]
    step = 0.2
    u = np.exp(np.arange(-14.0, 12.0, step))
    kappa = np.array([_kappa(s, n, z) for z in u**2])
    lone = 1.0 / (s[:, None] + kappa)
    df2 = (lone * s[:, None] ** 2).T @ lone
    strength = np.outer(kappa, kappa) * ((lone * s[:, None]).T @ lone) / (n - df2) * np.outer(u, u) * step**2
    variance = (4.0 / np.pi**2) * s * np.einsum("kj,ji,ki->k", lone, strength, lone)
    problem = two(dataclasses.replace(PowerLaw(1.0), reference=d), psi_n=n / d)
    found = spread_by_mode(problem)
    np.testing.assert_allclose(found.spread, 2.0 * variance, rtol=2e-4)
    other = spread_by_mode(dataclasses.replace(problem, psi_n=1.1 * n / d))
    assert np.abs(other.spread / (2.0 * variance) - 1.0).max() > 0.02


def _kappa(s, n, z):
    return brentq(lambda k: k - z - k / n * np.sum(s / (s + k)), z, z + s.sum() / n, xtol=1e-15, rtol=1e-13)


def test_the_root_of_gaussian_points_is_that_of_gaussian_data():
    """E Sigma_hat^{1/2} by leaving one out: N < d, no ridge, points that are nearly Gaussian."""
    points = np.random.default_rng(5).standard_normal((1500, 10)) * np.linspace(1.5, 0.5, 10)
    values, vectors = np.linalg.eigh(points.T @ points / len(points))
    s = values[::-1] / values.mean()
    found = Functionals(Population(points @ vectors[:, ::-1] / values.mean() ** 0.5, s), 8)
    near, far = (exact_map(SpectralLaw(s, np.full(10, 0.1), n / 10, 10)) for n in (8, 9))
    square = np.sum(found.mean_root() ** 2)
    assert square == pytest.approx(np.sum(near**2), rel=5e-3)
    assert square != pytest.approx(np.sum(far**2), rel=2e-2)


@pytest.mark.heavy
def test_patches_without_ridge_spread_as_leave_one_out_theory_says():
    """And not as Gaussian data of their covariance do, which is a fifth off."""
    problem, trials = two(Patches(side=4), psi_n=2.0), 2000
    rows = simdiff.simulate(problem, trials=trials, seed=6)["spread"]
    own = simdiff.predict(problem)["spread"]
    assert abs(rows.mean() - own) < 3.3 * rows.sem()
    gaussian = simdiff.predict(problem, theory="linear_sampling", d=16)["spread"]
    assert abs(rows.mean() - gaussian) > 6.0 * rows.sem()


def test_one_radius_is_gaussian_data():
    law = Elliptical(([0.5, 1.5], [0.5, 0.5]), radius=[1.0])
    own = simdiff.predict(two(law))
    gaussian = simdiff.predict(two(Gaussian(([0.5, 1.5], [0.5, 0.5]))))
    assert own["consistency"] == pytest.approx(gaussian["consistency"], rel=1e-5)
    wide = Elliptical(([0.5, 1.5], [0.5, 0.5]), radius=[0.5, 2.0], weights=[0.75, 0.25])
    assert simdiff.predict(two(wide))["consistency"] < 0.99 * own["consistency"]


def test_other_problems_are_refused():
    with pytest.raises(simdiff.InputError, match="bias: got"):
        spread_by_mode(simdiff.LinearSampling(bias=True))
    with pytest.raises(simdiff.InputError, match="problem: got"):
        spread_by_mode(simdiff.Generations())
