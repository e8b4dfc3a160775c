"""What the arithmetic of trials cannot resolve is said to be that, with the number; what it can is judged."""

import math
import re

import numpy as np
import pytest

import simdiff
from simdiff.validation.statuses import AGREE, BELOW_ROUNDING, DISAGREE

FLOAT32 = float(np.finfo(np.float32).eps)


def problem(t=0.1, psi_n=4.0, **more):
    model = simdiff.models.RandomFeatures(0.5, "tanh")
    made = {"model": model, "trainer": simdiff.trainers.Ridge(1e-3), "psi_n": psi_n, "m": 1} | more
    return simdiff.DenoisingScoreMatching(simdiff.data.Gaussian(), t=t, **made)


def roundings(made, eps=FLOAT32):
    return {metric.name: metric.rounding(eps) for metric in made.metrics}


def test_errors_round_at_their_terms():
    found = roundings(problem(t=0.01))
    assert found["test"] == found["train"] == found["memorization"] == found["objective"] == 8 * FLOAT32
    assert found["score"] == pytest.approx(8 * FLOAT32 / -math.expm1(-0.02), rel=1e-12)


def test_residuals_of_exact_training_are_squared():
    few = roundings(problem(psi_n=0.1))
    assert few["train"] == few["objective"] == pytest.approx(8 * FLOAT32**2)
    assert few["test"] == 8 * FLOAT32
    assert roundings(problem(psi_n=0.1, m=math.inf))["train"] == 8 * FLOAT32
    steps = simdiff.trainers.Optax("sgd", learning_rate=0.1, steps=4)
    assert roundings(problem(psi_n=0.1, trainer=steps))["train"] == 8 * FLOAT32


@pytest.mark.heavy
def test_a_comparison_below_rounding_says_so():
    """At t = 9 x_t is noise: 40 samples per dimension leave 3e-7 of it, but the objective has the ridge."""
    trainer = simdiff.trainers.Ridge(5e-4)
    late = problem(t=9.0, model=simdiff.models.Linear(), trainer=trainer, psi_n=40.0)
    rows = {}
    for factor in (1.0, 1.1):

        def theory(given, factor=factor):
            return {name: factor * value for name, value in simdiff.predict(given).items()}

        verdict = simdiff.validate(
            late, theory, sizes=(8, 12, 16, 24), precision=0.02, max_trials=16, dtype="float32"
        )
        rows[factor] = verdict.table.set_index("metric")
    assert rows[1.0]["verdict"]["objective"] == AGREE
    assert "differences below 9.5e-07 are rounding" in rows[1.0]["reason"]["objective"]
    assert rows[1.1]["verdict"]["objective"] == DISAGREE
    for name in ("test", "score", "memorization"):
        assert rows[1.0]["verdict"][name] == rows[1.1]["verdict"][name] == BELOW_ROUNDING
        assert re.fullmatch(
            r"[23]\.\de-07, while the arithmetic rounds at 9\.5e-07", rows[1.0]["reason"][name]
        )
