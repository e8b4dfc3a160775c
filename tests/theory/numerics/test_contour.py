"""Contours around a spectrum that need not be known, and the filters of training."""

from __future__ import annotations

import math

import numpy as np
import pytest
from theory_points import TANH, corners, make

from simdiff import InputError
from simdiff.theory.denoising.contour_region import eigenvalue_bound, largest_eigenvalue, region_of
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.numerics.contour import GROWTH, contour_in
from simdiff.theory.numerics.filters import step_counts, training_filter

ONE = np.array([1.0, 0.0, 0.0, 0.0])  # as long as the spectra of the other tests of this room: compiled once


def setting_at(ridge: float = 0.0) -> TheoryInputs:
    return inputs_of(make(1.5, 2.5, 3, 0.2, 1.0, TANH, (ONE, ONE)), ridge)


def noise_only(psi_n: float, psi_p: float) -> TheoryInputs:
    """Features that are independent noise of variance 1: U is a Wishart matrix."""
    return TheoryInputs(psi_n, psi_p, 1.0, 0.0, 0.5, 0.5, 0.0, 0.0, 1.0, ONE, ONE)


CASES = {
    "flow": (0.0, 0.0, 1e8, 256),
    "flow, ridge": (1e-3, 0.0, 1e8, 128),
    "flow, short": (0.0, 0.0, 0.01, 128),
    "descent": (0.0, 0.1, 1e4, 128),
    "descent, nearly unstable": (0.0, 0.53, 5.3e3, 128),
}


@pytest.mark.parametrize("name", CASES)
def test_the_contour_gives_the_function_at_every_eigenvalue(name):
    ridge, step, longest, intervals = CASES[name]
    setting = setting_at(ridge)
    contour = contour_in(region_of(setting, longest, step), intervals)
    largest = largest_eigenvalue(setting)
    eigenvalues = np.array([0.0, *np.geomspace(1e-3 / longest, largest, 60)])
    times = step * 10.0 ** np.arange(5) if step else np.geomspace(0.01, longest, 9)
    resolvent = contour.measure / (eigenvalues[:, None] - contour.nodes)
    exact = training_filter(eigenvalues + 1e-300 + 0j, times, ridge, step)
    for made, expected in zip(training_filter(contour.nodes, times, ridge, step), exact, strict=True):
        found = -2.0 * np.real(resolvent @ made.T).T
        size = np.abs(expected).max(axis=1, keepdims=True)
        assert (np.abs(found - expected) / size).max() < 1e-7
        outside = contour.measure / (1.2 * contour.nodes.real.max() - contour.nodes)
        assert (np.abs(2.0 * np.real(made @ outside)) / size[:, 0]).max() < 1e-7


@pytest.mark.parametrize("step", [0.0, 0.1, 0.53])
def test_nothing_grows_on_the_contour(step):
    for ridge in (0.0, 1e-3):
        contour = contour_in(region_of(setting_at(ridge), 5.3e3, step), 128)
        x = contour.nodes + ridge
        size = -5.3e3 * x.real if step == 0.0 else 5.3e3 / step * np.log(np.abs(1.0 - step * x))
        assert size.max() < GROWTH
        assert (contour.nodes.imag >= 0).all()


def test_no_eigenvalue_exceeds_the_bound():
    rng = np.random.default_rng(3)
    for problem in corners(200, seed=21):
        setting = inputs_of(problem, 0.0)
        variance = setting.mu1**2 * (setting.a2 * (setting.weights @ setting.eigenvalues) + setting.h)
        assert eigenvalue_bound(setting) > variance + setting.v2 + setting.s2
    for psi_n, psi_p in ((2.0, 0.5), (0.3, 3.0)):
        setting = noise_only(psi_n, psi_p)
        rows = rng.standard_normal((round(200 * psi_n), round(200 * psi_p)))
        found = np.linalg.norm(rows, 2) ** 2 / len(rows)
        edge = (1.0 + math.sqrt(psi_p / psi_n)) ** 2  # Marchenko and Pastur
        assert largest_eigenvalue(setting) == pytest.approx(edge, rel=1e-6)
        assert found == pytest.approx(edge, rel=0.1)
        assert edge <= eigenvalue_bound(setting) * (1 + 1e-12)


def test_the_largest_stable_step_is_named():
    setting = setting_at(0.1)
    longest = 2.0 / (largest_eigenvalue(setting) + 0.1)
    region_of(setting, 1e4, 0.999 * longest)
    with pytest.raises(InputError, match=f"trainer.step.*< {longest:.3g}"):
        region_of(setting, 1e4, 1.001 * longest)


def test_descent_multiplies_and_the_flow_is_its_limit():
    z, ridge, step = np.array([0.0, 0.3, 1.7]) + 0.2j, 0.05, 0.4
    left = np.ones_like(z)
    for _ in range(7):
        left = left * (1.0 - step * (z + ridge))
    made = training_filter(z, np.array([2.8]), ridge, step)
    np.testing.assert_allclose(made.solution[0], (1.0 - left) / (z + ridge), rtol=1e-13)
    np.testing.assert_allclose(made.residual[0], 1.0 - z * made.solution[0], rtol=1e-13)
    times = np.array([4.0])
    flow = training_filter(z, times, ridge).solution
    gaps = [np.abs(training_filter(z, times, ridge, s).solution - flow) for s in (0.02, 0.01)]
    np.testing.assert_allclose(gaps[0] / gaps[1], 2.0, rtol=0.05)


def test_a_billion_small_steps_lose_nothing():
    z, step = np.array([1e-9 + 1e-9j, 1e-3j + 1e-4]), 1e-2
    times = np.array([1e8])
    expected = np.exp(times[0] / step * (-step * z - (step * z) ** 2 / 2 - (step * z) ** 3 / 3))
    made = training_filter(z, times, 0.0, step)
    np.testing.assert_allclose(made.residual[0, 0], expected[0], rtol=1e-12)


def test_a_time_between_two_steps_is_refused():
    assert step_counts(np.array([0.3, 3e7]), 0.1).tolist() == [3.0, 3e8]
    with pytest.raises(InputError, match=r"trainer\.times: got 0\.35; .*whole multiples"):
        step_counts(np.array([0.3, 0.35]), 0.1)
