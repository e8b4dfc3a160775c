"""Train errors that fall by hundreds of decades, against an integral over the law of Marchenko and Pastur."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import simdiff
from simdiff.theory.numerics.contour import Region, contour_in
from simdiff.theory.numerics.vanishing import Estimate, Training, refined_train_errors, train_errors

PSI_N, T = 0.3, 0.2
TIMES = (0.5, 5.0, 50.0, 100.0, 200.0, 1e6)
RIDGES = (0.0, 1e-12, 1e-4)


def exact_train(ridge: float, time: float) -> float:
    """Isotropic data, m = 1, linear: z = sqrt(h) y + a w, w independent of the rows y of the Gram matrix K.

    train = h (1/d) tr K psi(K)^2 + a^2 (1/n) tr psi(K)^2, and K = Y Y^T / n has the law of Marchenko and
    Pastur on (1/sqrt(psi_n) -+ 1)^2.
    """
    a2, h = math.exp(-2 * T), -math.expm1(-2 * T)
    low, radius = (1 / math.sqrt(PSI_N) - 1) ** 2, 2 / math.sqrt(PSI_N)
    angle, weight = panels([0.0, *np.geomspace(1e-3, math.pi, 12)])
    x = low + radius * 2 * np.sin(angle / 2) ** 2
    psi = (ridge + x * np.exp(-time * (x + ridge))) / (x + ridge)
    law = (radius * np.sin(angle)) ** 2 / (2 * math.pi * x)
    return float(weight @ (law * psi**2 * (h * PSI_N * x + a2)))


def panels(ends: list[float]) -> tuple[np.ndarray, np.ndarray]:
    node, weight = np.polynomial.legendre.leggauss(60)
    half, middle = np.diff(ends)[:, None] / 2, (np.array(ends)[1:] + np.array(ends)[:-1])[:, None] / 2
    return (middle + half * node).ravel(), (half * weight).ravel()


def problem(ridge: float, times=TIMES, model=None, scale: float = 1.0) -> simdiff.DenoisingScoreMatching:
    trainer = simdiff.trainers.GradientFlow(times=tuple(time / scale for time in times), ridge=ridge * scale)
    model = simdiff.models.Linear() if model is None else model
    return simdiff.DenoisingScoreMatching(simdiff.data.Gaussian(), model, trainer, psi_n=PSI_N, m=1, t=T)


@pytest.mark.parametrize("ridge", RIDGES)
def test_linear_denoisers(ridge):
    found = simdiff.predict(problem(ridge))
    exact = np.array([exact_train(ridge, time) for time in TIMES])
    np.testing.assert_allclose(found["train"], exact, rtol=1e-8, atol=1e-300)
    assert ridge > 1e-6 or exact[-2] < 1e-20  # the contour around zero left -1e-17 here
    assert (found["objective"] >= found["train"]).all()


@pytest.mark.parametrize("m", [1, 4])
def test_both_contours_agree_on_random_features_where_both_know(m):
    """A later time in the list makes the contour around zero too coarse for the first."""
    model = simdiff.models.RandomFeatures(8.0, "tanh")
    early, late = (
        simdiff.predict(dataclasses.replace(problem(1e-12, times, model), psi_n=1.0, m=m))["train"][0]
        for times in ((20.0 * m**3,), (20.0 * m**3, 1e12))
    )
    assert late == pytest.approx(early, rel=1e-7)
    assert late != early


def test_a_time_slightly_off_is_noticed():
    found = simdiff.predict(problem(0.0, times=[50.001]))
    assert abs(found["train"][0] / exact_train(0.0, 50.0) - 1.0) > 1e-4


def test_the_train_error_of_random_features_ends_at_that_of_the_minimiser():
    made = {"data": simdiff.data.Gaussian(), "model": simdiff.models.RandomFeatures(64.0, "tanh")}
    rest = {"psi_n": 0.5, "m": 1, "t": 0.1}
    flow = simdiff.trainers.GradientFlow(times=(1.0, 10.0, 1e9), ridge=1e-9)
    late = simdiff.predict(simdiff.DenoisingScoreMatching(**made, trainer=flow, **rest))
    ridge = simdiff.predict(
        simdiff.DenoisingScoreMatching(**made, trainer=simdiff.trainers.Ridge(1e-9), **rest)
    )
    assert ridge["train"] < 1e-20
    assert late["train"][2] == pytest.approx(ridge["train"], rel=1e-9)
    assert late["objective"][2] == pytest.approx(ridge["objective"], rel=1e-9)
    assert late["train"][0] > 1e9 * ridge["train"]


def test_descent_keeps_its_digits_too():
    """With steps so short that descent is flow; one step too long for that differs."""
    step = 1e-6
    flow = simdiff.predict(problem(0.0, times=[20.0]))["train"][0]
    close, far = (descended(20.0, size) for size in (step, 1e-3))
    assert close == pytest.approx(flow, rel=1e-3)
    assert abs(far / flow - 1.0) > 1e-2


def descended(time: float, step: float) -> float:
    from simdiff.theory.denoising.inputs import inputs_of
    from simdiff.theory.linear_denoiser.flow import linear_flow

    setting = inputs_of(
        simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.0), psi_n=PSI_N, t=T), 0.0
    )
    found = linear_flow(setting, np.array([time]), step, np.array([setting.weights]))
    assert found.converged
    return float(found.train[0, 0])


def test_what_nobody_knows_is_nan():
    region = Region(1.0, 1.0, 3.0, math.inf)
    training = Training(np.array([1.0]), 0.0, 0.0)
    lost = Estimate(np.array([[-1e-18]]), np.array([[1.0]]))

    def blind(z):
        return np.full((z.size, 1), complex(math.nan)), np.zeros(z.size, complex)

    assert np.isnan(refined_train_errors(lost, blind, 0.5, region, training).value).all()
    assert np.isnan(refined_train_errors(lost, blind, 2.0, region, training).value).all()
    known = Estimate(np.array([[0.25]]), np.array([[1e-9]]))
    assert refined_train_errors(known, blind, 0.5, region, training).value == 0.25


def test_the_estimate_tells_rounding():
    contour = contour_in(Region(0.02, 0.02, 5.02, math.inf), 256)
    loss = (contour.nodes / (contour.nodes - 5.0))[:, None]  # K = 5 alone: train = e^{-2 tau 5}
    found = train_errors(contour, loss, Training(np.array([0.1, 1.0, 5.0]), 0.0, 0.0))
    off = np.abs(found.value / np.exp(-10.0 * np.array([0.1, 1.0, 5.0])) - 1.0)
    assert (off <= found.error * 10)[0, :2].all()
    assert found.error[0, 0] < 1e-9
    assert found.error[0, 2] > 1e-3
