"""Floor and score of a linear manifold, also where its spectrum touches 0 and the noise is tiny."""

import dataclasses
import math

import mpmath
import numpy as np
import pytest

import simdiff
from simdiff.data import Gaussian, LinearManifold
from simdiff.data.marchenko_pastur import marchenko_pastur
from simdiff.theory.denoising.inputs import gaussian_floor, inputs_of

RATIOS, TIMES = (0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0), (1e-5, 1e-3, 0.1, 1.0)
HUGE = 1e12
"""A ridge at which the network is zero: test = 1 and score = <1 / (a^2 s + h)>."""


def problem_at(psi_D, t, ridge=HUGE, **changes):
    return simdiff.DenoisingScoreMatching(
        data=LinearManifold(psi_D),
        model=simdiff.models.RandomFeatures(2.0, "tanh"),
        trainer=simdiff.trainers.Ridge(ridge),
        psi_n=2.0,
        m=2,
        t=t,
        **changes,
    )


def resolvent(psi_D, t):
    """<1 / (a^2 s + h)>: the root of y z g^2 + (z + 1 - y) g - 1 = 0 at z = h / a^2, over a^2."""
    with mpmath.workdps(50):
        a2, y = mpmath.exp(-2 * mpmath.mpf(t)), 1 / mpmath.mpf(psi_D)
        z = (1 - a2) / a2
        b = z + 1 - y
        return (mpmath.sqrt(b * b + 4 * y * z) - b) / (2 * y * z) / a2, 1 - a2


@pytest.fixture(scope="module")
def predicted():
    places = [(psi_D, t) for psi_D in RATIOS for t in TIMES]
    return dict(
        zip(places, simdiff.theory.evaluate_many(None, [problem_at(*p) for p in places]), strict=True)
    )


@pytest.mark.parametrize("psi_D", RATIOS)
def test_floor_and_score_of_the_zero_network_are_those_of_the_closed_form(predicted, psi_D):
    for t in TIMES:
        g, h = resolvent(psi_D, t)
        assert predicted[psi_D, t]["floor"] == pytest.approx(float(1 - h * g), rel=1e-9)
        assert predicted[psi_D, t]["score"] == pytest.approx(float(g), rel=1e-9)


@pytest.mark.parametrize("psi_D", [0.99, 1.0, 1.01])
def test_a_gauss_rule_of_as_many_nodes_is_far_off_at_the_hard_edge(psi_D):
    g, h = resolvent(psi_D, 1e-5)
    setting = inputs_of(problem_at(psi_D, 1e-5), HUGE)
    values, weights = (np.array(part) for part in marchenko_pastur(psi_D, 256))
    gauss = setting._replace(eigenvalues=values, weights=weights)
    assert 1 - gaussian_floor(setting) == pytest.approx(float(h * g), rel=1e-9)
    assert 1 - gaussian_floor(gauss) != pytest.approx(float(h * g), rel=1e-6)


@pytest.mark.parametrize("psi_D", [0.9, 1.0, 1.1])
@pytest.mark.parametrize(
    "trainer",
    [
        simdiff.trainers.Ridge(1e-3),
        pytest.param(simdiff.trainers.GradientFlow((1.0, 1e4)), marks=pytest.mark.heavy),
    ],
)
def test_predictions_away_from_the_edge_are_those_of_the_gauss_rule(psi_D, trainer):
    problem = dataclasses.replace(problem_at(psi_D, 0.3), trainer=trainer)
    values, weights = marchenko_pastur(psi_D, 256)
    gauss = dataclasses.replace(problem, data=Gaussian((values, weights)))
    new, old = (simdiff.theory.evaluate(None, p) for p in (problem, gauss))
    for name in ("test", "train", "score", "memorization", "objective"):
        assert new[name] == pytest.approx(old[name], rel=1e-10), name


def test_the_network_between_its_limits_has_the_score_of_a_far_finer_rule():
    """A midpoint rule in theta of 4000 nodes, at the hard edge and a small ridge."""
    theta = (np.arange(4000) + 0.5) * math.pi / 4000
    fine = 4.0 * np.sin(theta / 2) ** 2, 2.0 * np.cos(theta / 2) ** 2 / 4000
    problem = problem_at(1.0, 1e-5, 1e-6)
    made = Gaussian([part.tolist() for part in fine])
    new, reference = (
        simdiff.theory.evaluate(None, p) for p in (problem, dataclasses.replace(problem, data=made))
    )
    assert new["score"] == pytest.approx(reference["score"], rel=1e-6)
