"""Problems with some arguments changed, by dotted path."""

import math

import numpy as np
import pytest

import simdiff
from simdiff.parts.vary import vary

POINTS = simdiff.data.PointMasses([[0, 1], [2, 0], [1, 1]], weights=[1, 2, 3], angle=0.3)
PROBLEMS = {
    "random features": simdiff.DenoisingScoreMatching(m=math.inf),
    "two levels": simdiff.DenoisingScoreMatching(simdiff.data.Gaussian(([0.5, 1.5], [0.25, 0.75]))),
    "tanh manifold": simdiff.DenoisingScoreMatching(simdiff.data.HiddenManifold(0.5, "tanh")),
    "digits": simdiff.LinearSampling(simdiff.data.Digits(components=8), psi_n=2.0),
    "points": simdiff.EnsembleSampling(POINTS),
    "named points": simdiff.EnsembleSampling(simdiff.data.PointMasses("square")),
    "flow": simdiff.DenoisingScoreMatching(trainer=simdiff.trainers.GradientFlow((1.0, 2.0))),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_nothing_changed_is_the_same_problem(name):
    problem = PROBLEMS[name]
    assert vary(problem, {}).digest() == problem.digest()
    nested = {f"data.{k}": v for k, v in getattr(problem.data, "arguments", dict)().items()}
    assert vary(problem, nested).digest() == problem.digest()


def test_what_is_named_changes_and_nothing_else():
    before = PROBLEMS["random features"]
    after = vary(before, {"model.psi_p": 2.5, "trainer.ridge": 0.1, "m": 3})
    assert after == simdiff.DenoisingScoreMatching(
        model=simdiff.models.RandomFeatures(2.5), trainer=simdiff.trainers.Ridge(0.1), m=3
    )
    turned = vary(PROBLEMS["points"], {"data.angle": 0.0}).data
    np.testing.assert_allclose(turned.arrays()[0], POINTS.points)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("random features", {"model.psi": 1.0}, "did you mean 'psi_p'"),
        ("random features", {"colour": 1.0}, "DenoisingScoreMatching"),
        ("digits", {"trainer.ridge": 1.0}, "trainer is None"),
        ("random features", {"psi_n": -1.0}, "psi_n: got -1"),
    ],
)
def test_what_cannot_change_is_named(name, changes, words):
    with pytest.raises(simdiff.InputError, match=words):
        vary(PROBLEMS[name], changes)
