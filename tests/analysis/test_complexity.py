"""Sample complexity and the best ridge: on metrics known in closed form, and on the built-in theory."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import simdiff
from simdiff import DenoisingScoreMatching
from simdiff.analysis import best_ridge, sample_complexity
from simdiff.analysis.best_ridge import RIDGES
from simdiff.errors import InputError
from simdiff.models import RandomFeatures
from simdiff.theory import evaluate_many
from simdiff.trainers import Optax, Ridge

PROBLEM = DenoisingScoreMatching()


def valley(problem):
    """Least at ridge 0.02, where it is 1 / psi_n + 0.001."""
    return {"score": (1 / problem.psi_n + 1e-3) * (1 + math.log(problem.trainer.ridge / 0.02) ** 2)}


def peak(problem):
    """A dip to 0.2 at psi_n = 1, a peak of 1 at psi_n = 4, then a slow fall to 0.05; any ridge."""
    x = math.log(problem.psi_n)
    descent = 0.05 + 0.95 / (1 + math.exp(2 * (x - 1.2)))
    return {"score": descent - 0.6 * math.exp(-(x**2)) + 0.5 * math.exp(-8 * (x - math.log(4)) ** 2)}


def broken(at_or_below, ridges_above=math.inf):
    """`valley`, but nan at small psi_n for the ridges below a limit."""

    def theory(problem):
        lost = problem.psi_n <= at_or_below and problem.trainer.ridge < ridges_above
        return {"score": math.nan} if lost else valley(problem)

    return theory


def moved(problem, psi_n, ridge):
    return dataclasses.replace(problem, psi_n=float(psi_n), trainer=Ridge(float(ridge)))


def least(problem, psi_n, metric):
    """The least value over the ridge by another method: a dense scan, then a bounded search."""
    ridges = np.geomspace(*RIDGES, 400)
    found = evaluate_many(None, [moved(problem, psi_n, r) for r in ridges])
    k = int(np.argmin([v[metric] for v in found]))
    low, high = np.log(ridges[max(k - 1, 0)]), np.log(ridges[min(k + 1, 399)])

    def value(log_ridge):
        return simdiff.predict(moved(problem, psi_n, math.exp(log_ridge)))[metric]

    return minimize_scalar(value, bounds=(low, high), method="bounded").fun


# --- metrics known in closed form


@pytest.mark.parametrize("threshold", [0.003, 0.1, 7.0])
def test_closed_form_at_the_best_ridge(threshold):
    found = sample_complexity(PROBLEM, threshold=threshold, theory=valley)
    assert found.psi_n == pytest.approx(1 / (threshold - 1e-3), rel=1e-5)
    assert found.ridge == pytest.approx(0.02, rel=5e-3)
    assert found.value == pytest.approx(threshold, rel=1e-6)
    assert (found.reachable, found.bound, found.stays, found.reason) == (True, False, True, "")


def test_closed_form_at_a_given_ridge():
    own = moved(PROBLEM, 1, 0.04)
    exact = 1 / (1 / (1 + math.log(2) ** 2) - 1e-3)
    for ridge in ("given", 0.04):
        found = sample_complexity(own, threshold=1.0, ridge=ridge, theory=valley)
        assert found.psi_n == pytest.approx(exact, rel=1e-7)
        assert found.ridge == 0.04


def test_the_first_crossing_is_found_and_what_comes_after_is_told():
    dip = sample_complexity(PROBLEM, threshold=0.6, ridge=1e-3, theory=peak)
    assert dip.psi_n < 1
    assert not dip.stays
    after = sample_complexity(PROBLEM, threshold=0.6, ridge=1e-3, theory=peak, psi_n_range=(3, 1e3))
    assert after.psi_n > 4
    assert after.stays
    for found in (dip, after):
        assert peak(moved(PROBLEM, found.psi_n, 1))["score"] == pytest.approx(0.6, abs=1e-7)
        assert peak(moved(PROBLEM, 0.999 * found.psi_n, 1))["score"] > 0.6
    tuned = sample_complexity(PROBLEM, threshold=0.6, theory=peak)
    assert tuned.psi_n == pytest.approx(dip.psi_n, rel=1e-5)
    assert not tuned.stays


def test_the_end_of_the_range_is_a_bound():
    found = sample_complexity(PROBLEM, threshold=200.0, theory=valley)
    assert (found.psi_n, found.bound, found.stays) == (0.01, True, True)
    assert found.reason == "already reached at the smallest psi_n looked at, 0.01"


def test_not_reachable_says_what_is_least_and_what_more_samples_do():
    never = sample_complexity(PROBLEM, threshold=1e-3, ridge=0.04, theory=valley)
    assert never.reachable is False
    assert math.isnan(never.psi_n)
    assert "for psi_n from 0.01 to 1000 the least value at ridge 0.04 is 0.002961" in never.reason
    assert "do not reach it either: at psi_n = 1e+09 it is 0.00148" in never.reason
    later = sample_complexity(PROBLEM, threshold=0.0015, theory=valley)
    assert later.reachable is False
    assert "more samples reach it: at psi_n = 1e+09 it is 0.001" in later.reason


@pytest.mark.heavy
def test_a_theory_that_is_nan_is_never_silent():
    below = sample_complexity(PROBLEM, threshold=0.1, theory=broken(3.0))
    assert below.psi_n == pytest.approx(1 / 0.099, rel=1e-5)
    assert below.bound
    assert "upper bound" in below.reason
    across = sample_complexity(PROBLEM, threshold=0.1, theory=broken(12.0))
    assert across.psi_n == pytest.approx(12, rel=1e-4)
    assert across.bound
    lost = sample_complexity(PROBLEM, threshold=1e-3, theory=broken(3.0))
    assert lost.reachable is None
    assert math.isnan(lost.psi_n)
    assert "cannot be told" in lost.reason
    some = sample_complexity(PROBLEM, threshold=0.1, theory=broken(3.0, ridges_above=1e-6))
    assert some.bound
    fine = sample_complexity(PROBLEM, threshold=0.1, theory=broken(3.0), psi_n_range=(4, 100))
    assert (fine.bound, fine.reason) == (False, "")
    nothing = best_ridge(moved(PROBLEM, 1, 1), theory=broken(3.0))
    assert math.isnan(nothing.ridge)


def test_the_best_ridge_says_when_it_is_at_an_end():
    inner = best_ridge(moved(PROBLEM, 5, 1), theory=valley)
    assert inner.ridge == pytest.approx(0.02, rel=5e-3)
    assert inner.value == pytest.approx(0.201, rel=5e-6)
    assert not inner.at_boundary
    for power, end in ((1, RIDGES[0]), (-1, RIDGES[1])):
        found = best_ridge(PROBLEM, theory=lambda p, power=power: {"score": p.trainer.ridge**power})
        assert found.at_boundary
        assert found.ridge == pytest.approx(end)


# --- the built-in theory


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("problem", "metric", "threshold"),
    [
        (DenoisingScoreMatching(), "score", 0.1),
        (DenoisingScoreMatching(m=4, t=0.5), "test", 0.45),
        (DenoisingScoreMatching(model=RandomFeatures(32.0, "relu"), m=math.inf, t=0.5), "score", 0.05),
    ],
    ids=["m=1", "m=4", "m=inf"],
)
def test_the_best_ridge_reaches_the_threshold_there_and_not_before(problem, metric, threshold):
    found = sample_complexity(problem, metric, threshold, psi_n_range=(1, 1e3))
    assert found.reachable
    assert simdiff.predict(moved(problem, found.psi_n, found.ridge))[metric] == pytest.approx(threshold, 1e-5)
    assert least(problem, found.psi_n, metric) == pytest.approx(threshold, rel=1e-5)
    assert least(problem, 0.99 * found.psi_n, metric) > threshold * (1 + 1e-5)


@pytest.mark.heavy
def test_a_fixed_ridge_needs_more_samples_than_the_best():
    tuned = sample_complexity(PROBLEM, threshold=0.1)
    fixed = sample_complexity(PROBLEM, threshold=0.1, ridge=1e-3)
    assert fixed.psi_n > 2 * tuned.psi_n
    dense = np.geomspace(50, 500, 1024)
    scores = [v["score"] for v in evaluate_many(None, [moved(PROBLEM, n, 1e-3) for n in dense])]
    first = int(np.argmax(np.array(scores) <= 0.1))
    assert dense[first - 1] < fixed.psi_n <= dense[first]


def test_at_m_inf_isotropic_data_are_best_learned_from_hardly_any_sample():
    """All directions are alike, so a ridge that scales the noise direction fits them without a sample."""
    problem = DenoisingScoreMatching(model=RandomFeatures(32.0, "relu"), m=math.inf, t=0.01)
    found = sample_complexity(problem, threshold=0.1)
    assert (found.psi_n, found.bound, found.stays) == (0.01, True, False)


def test_the_train_error_is_small_where_there_are_few_samples():
    found = sample_complexity(PROBLEM, "train", 0.5)
    assert found.psi_n == 0.01
    assert found.bound
    assert not found.stays
    assert "the best ridge is at the end of those searched, 1e-08" in found.reason


# --- what cannot be used


@dataclasses.dataclass(frozen=True)
class Bare(simdiff.Problem):
    metrics = (simdiff.Metric("score"),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0}, "threshold: got 0; allowed: a finite number > 0"),
        ({"threshold": math.inf}, "threshold: got inf"),
        ({"threshold": "low"}, "threshold: got 'low'"),
        ({"metric": "scores"}, "metric: got 'scores'.*did you mean 'score'"),
        ({"metric": "train"}, "metric: got 'train'; allowed: score"),
        ({"ridge": "good"}, """ridge: got 'good'; allowed: "best", "given" or a number"""),
        ({"ridge": -1.0}, "ridge: got -1.0"),
        ({"psi_n_range": (1, 1)}, "psi_n_range: got .1, 1."),
        ({"psi_n_range": 3}, "psi_n_range: got 3; allowed: two finite numbers"),
        ({"theory": "gaussian"}, "theory: got 'gaussian'"),
        ({"problem": "denoising"}, "problem: got 'denoising'"),
        ({"problem": Bare()}, "problem: got 'Bare'; allowed: a problem with psi_n"),
        ({"problem": DenoisingScoreMatching(trainer=Optax("adam", steps=10))}, "trainer: got 'Optax'"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        sample_complexity(**{"problem": PROBLEM, "theory": valley, **arguments})
