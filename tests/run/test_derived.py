"""Derived numbers: their errors cover the truth as often as they say, over 200 seeds of synthetic trials."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean

import simdiff
from simdiff.run.contents import About
from simdiff.run.derived import Limits, crossing_of, limits_of, peak_of, slope_of
from simdiff.run.run import Run
from simdiff.validation import Rule
from simdiff.validation.finite_size import fit_operator
from simdiff.validation.study import InMemoryTrials, Study

SIZES, TRIALS, SEEDS = (20, 40, 80), 16, 200
LEVELS = (0.5, 1.0, 1.5, 2.0, 2.5)


def height(level):
    """The limit of `value`: a hill with its top at 1.4."""
    return 2.0 - (level - 1.4) ** 2


def theory(problem):
    return {"value": height(problem.level), "twice": problem.level}


def synthetic(seed, spread=0.1, theory=theory):
    """A run of five points with correlated metrics: limits `height` and `level`, corrections 1/d."""
    rng, store, studies = np.random.default_rng(seed), InMemoryTrials(), []
    rule = Rule(precision=1.0, sizes=SIZES, max_trials=TRIALS, extrapolation=(1.0,), min_trials=TRIALS)
    for level in LEVELS:
        problem = Mean(level=level)
        studies.append(Study(problem, theory, SIZES, rule))
        for d in SIZES:
            noise = spread * 20 / d * rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], TRIALS)
            columns = {"value": height(level) + 3 / d + noise[:, 0], "twice": level - 1 / d + noise[:, 1]}
            rows = {"point": problem.digest(), "d": d, "trial": range(TRIALS), "seed": 0, "status": "ok"}
            store.append(pd.DataFrame(rows | columns))
    return Run(tuple(studies), store, About())


def limits(seed):
    """What `limits_of` reads from such a run, without the run: quick enough for 200 seeds."""
    rng, x = np.random.default_rng(seed), np.array(LEVELS)
    weights = fit_operator(np.array(SIZES, float), np.full(len(SIZES), float(TRIALS)), (1.0,))[0]
    exact = np.array([height(x), x])
    found, moves = exact.copy(), []
    for point in range(len(x)):
        for d, weight in zip(SIZES, weights, strict=True):
            noise = 2.0 / d * rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], TRIALS).T
            found[:, point] += weight * noise.mean(1)
            moves.append((point, weight * (noise.mean(1, keepdims=True) - noise) / (TRIALS - 1)))
    return Limits(x, found, exact, moves)


def twice_only(found):
    return dataclasses.replace(
        found,
        limits=found.limits[1:],
        theory=found.theory[1:],
        moves=[(point, move[1:]) for point, move in found.moves],
    )


NUMBERS = {
    "ratio of metrics": lambda found: found.derive("", lambda v: v[0, 1] / v[1, 1]),
    "ratio of points": lambda found: found.derive("", lambda v: v[0, 2] / v[0, 4]),
    "slope": lambda found: slope_of(twice_only(found), "", False),
    "exponent": lambda found: slope_of(twice_only(found), "", True),
    "peak": lambda found: peak_of(found, "", False, False),
    "crossing of a level": lambda found: crossing_of(twice_only(found), "", 1.2),
    "crossing of metrics": lambda found: crossing_of(found, "", None),
}
TRUE = {"slope": 1.0, "exponent": 1.0, "peak": 1.4, "crossing of a level": 1.2}


@pytest.fixture(scope="module")
def found():
    return {name: [number(limits(seed)) for seed in range(SEEDS)] for name, number in NUMBERS.items()}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.heavy
def test_intervals_cover_the_theory_as_often_as_they_say(found, name):
    """Of 200, 95% is 190 with a standard deviation of 3.1; seven numbers: within 3 of these each way."""
    low, high = np.array([one.interval() for one in found[name]]).T
    truth = found[name][0].theory
    if name in TRUE:
        assert truth == pytest.approx(TRUE[name], abs=1e-12)
    covered = np.sum((low < truth) & (truth < high))
    assert 180 <= covered <= 199
    values = np.array([one.value for one in found[name]])
    stated = np.sqrt(np.mean([one.stderr**2 for one in found[name]]))
    assert stated / values.std(ddof=1) == pytest.approx(1, abs=0.17)  # 3 standard deviations for 200
    rejected = np.mean([one.p_value < 0.05 for one in found[name]])
    assert rejected == pytest.approx(1 - covered / SEEDS)


def test_a_ratio_of_metrics_of_the_same_trials_knows_that_they_move_together(found):
    """With correlation 0.8 the error is about half of that of independent metrics."""
    alone = [limits(0).derive("", lambda v, i=i: v[i, 1]) for i in range(2)]
    apart = math.hypot(alone[0].stderr, alone[1].stderr * alone[0].value)
    assert found["ratio of metrics"][0].stderr < 0.8 * apart


def test_a_theory_with_the_peak_elsewhere_is_rejected():
    def moved(problem):
        return {"value": 2.0 - (problem.level - 1.55) ** 2}

    assert synthetic(1, theory=moved).peak("value", "level").p_value < 1e-3


def test_what_is_not_there_is_nan_with_its_reason():
    run = synthetic(2)
    end = run.peak("twice", "level")
    assert math.isnan(end.value)
    assert "at the end of the values" in str(end)
    assert "0 crossings among the points" in str(run.crossing("twice", "level", 99.0))
    assert run.argmin("value", "level").reason.startswith("the extremum is at the end")


def test_wrong_questions_are_told():
    run = synthetic(3)
    for ask in (
        lambda: run.slope("none", "level"),
        lambda: run.slope("value", "none"),
        lambda: run.ratio("value", "twice"),
        lambda: run.slope("value", "slope"),
    ):
        with pytest.raises(simdiff.InputError):
            ask()


def test_a_run_gives_the_limits_and_errors_of_its_table():
    run = synthetic(4)
    row = run.table[(run.table["level"] == 1.5) & (run.table["metric"] == "value")].iloc[0]
    found = limits_of(run, ["value"], "level", {}, None).derive("", lambda v: v[0, 2])
    assert found.value == pytest.approx(row["estimate"], rel=1e-12)
    assert found.stderr == pytest.approx(row["stderr"], rel=1e-9)
    assert found.theory == row["theory"]
    assert "peak" in dir(run)
    assert run.crossing("twice", "level", 1.2).value == pytest.approx(1.2, abs=0.1)
    number = dataclasses.replace(found, value=2.0, stderr=0.5, dof=math.inf)
    assert number.interval() == pytest.approx((2 - 0.98, 2 + 0.98), abs=1e-3)
