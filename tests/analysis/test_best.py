"""The best parameters: those of a known minimum, of the finer search along one axis, within a budget."""

import math

import pytest

import simdiff
from simdiff.errors import InputError

PROBLEM = simdiff.DenoisingScoreMatching(psi_n=2.0, m=2, t=0.3)
"""tanh features, psi_p = 1."""


def valley(problem):
    """Least at ridge 0.02 and psi_p = 3, where it is 1."""
    far = math.log(problem.trainer.ridge / 0.02) ** 2 + math.log(problem.model.psi_p / 3.0) ** 2
    return {
        "test": 1.0
        + 0.1 * far
        + 0.05 * math.log(problem.trainer.ridge / 0.02) * math.log(problem.model.psi_p / 3)
    }


def test_a_known_minimum_is_found():
    found = simdiff.best(PROBLEM, ("trainer.ridge", "model.psi_p"), theory=valley)
    assert found.values["trainer.ridge"] == pytest.approx(0.02, rel=0.02)
    assert found.values["model.psi_p"] == pytest.approx(3.0, rel=0.02)
    assert found.value == pytest.approx(1.0, abs=1e-4)
    assert found.at_edge == ()
    assert found.problem.model.psi_p == found.values["model.psi_p"]


def test_along_the_ridge_it_is_what_the_finer_search_finds():
    found = simdiff.best(PROBLEM, "trainer.ridge", metric="score")
    fine = simdiff.best_ridge(PROBLEM, metric="score")
    assert found.values["trainer.ridge"] == pytest.approx(fine.ridge, rel=0.02)
    assert found.value == pytest.approx(fine.value, rel=1e-5)
    assert found.value < simdiff.predict(found.problem.__class__(psi_n=2.0, m=2, t=0.3))["score"]


def test_what_ends_at_an_edge_says_so():
    found = simdiff.best(PROBLEM, {"trainer.ridge": (1e-3, 1e-2)}, theory=valley)
    assert found.values["trainer.ridge"] == pytest.approx(1e-2)
    assert found.at_edge == ("trainer.ridge",)
    assert "edge" in str(found)


def test_a_budget_and_lists_of_values():
    found = simdiff.best(PROBLEM, {"model.psi_p": (0.1, 10.0), "m": [1, 2, 4]}, theory=valley, budget=4.0)
    assert found.values["m"] == 1
    assert found.values["model.psi_p"] == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"over": ("trainer.rigde",)}, "over"),
        ({"over": {"trainer.ridge": (1.0, 0.1)}}, "over"),
        ({"over": {"nothing": (0.1, 1.0)}}, "argument"),
        ({"over": ()}, "over"),
        ({"over": "m", "metric": "tst"}, "metric"),
        ({"over": "m", "budget": 1e-9}, "budget"),
        ({"over": "m", "budget": "much"}, "budget"),
        ({"over": "psi_n", "budget": 1.0, "problem": simdiff.LinearSampling(samples=0)}, "without psi_n, m"),
    ],
)
def test_bad_input(arguments, field):
    with pytest.raises(InputError, match=field):
        simdiff.best(**({"problem": PROBLEM} | arguments))


def test_where_the_theory_is_unknown_it_is_nan():
    found = simdiff.best(PROBLEM, "trainer.ridge", theory=lambda p: {"test": math.nan})
    assert math.isnan(found.value)
