"""Best stopping times and time scales, against curves looked at directly."""

import dataclasses
import math
import warnings

import numpy as np
import pytest

import simdiff
from simdiff.analysis.stopping import EdgeWarning
from simdiff.trainers import GradientFlow, Optax, Ridge

MEMORIZING = simdiff.DenoisingScoreMatching(
    model=simdiff.models.RandomFeatures(32.0), trainer=GradientFlow((1.0,)), psi_n=2.0, m=math.inf, t=0.05
)
NOISY = dataclasses.replace(MEMORIZING, model=simdiff.models.RandomFeatures(4.0), m=4, t=0.1)


def curve(problem, times, metric):
    flow = GradientFlow(tuple(times), problem.trainer.ridge)
    return simdiff.predict(dataclasses.replace(problem, trainer=flow))[metric]


@pytest.mark.parametrize("metric", ["test", "score"])
def test_the_best_time_beats_its_neighbours(metric):
    found = simdiff.best_stopping(NOISY, metric)
    around = curve(NOISY, [0.9 * found.time, found.time, 1.1 * found.time], metric)
    assert around[1] == pytest.approx(found.value, rel=1e-9)
    assert around[0] > around[1] < around[2]
    everywhere = curve(NOISY, np.geomspace(1e-2, 1e6, 60), metric)
    assert everywhere.min() >= found.value
    assert everywhere[-1] > 1.05 * found.value
    assert not found.at_edge
    best = simdiff.best_ridge(dataclasses.replace(NOISY, trainer=Ridge(1.0)), metric)
    assert (found.ridge, found.ridge_value) == (best.ridge, best.value)
    assert found.gain == pytest.approx(best.value / found.value - 1)


def test_a_ridge_problem_means_a_flow_without_ridge():
    ridge = dataclasses.replace(NOISY, trainer=Ridge(0.3))
    assert simdiff.best_stopping(ridge) == simdiff.best_stopping(NOISY)


def test_time_scales_are_where_the_curves_say():
    found = simdiff.time_scales(MEMORIZING)
    times = np.geomspace(1e-2, 1e8, 1001)
    test, memorization = (curve(MEMORIZING, times, name) for name in ("test", "memorization"))
    early = times[test <= 1.001 * test.min()][0]
    later = times[(memorization <= memorization[times >= early][0] / 2) & (times > early)][0]
    assert found.generalization == pytest.approx(early, rel=0.05)
    assert found.memorization == pytest.approx(later, rel=0.05)
    assert found.window > 10


def test_more_samples_delay_memorization():
    windows = [
        simdiff.time_scales(dataclasses.replace(MEMORIZING, psi_n=psi_n)).window for psi_n in (1.0, 2.0, 4.0)
    ]
    assert windows[0] < windows[1] < windows[2]


def test_what_never_happens_is_nan():
    noisy = simdiff.time_scales(NOISY)
    assert noisy.generalization > 0
    assert math.isnan(noisy.memorization)


def test_many_features_are_stopped_long_before_time_one():
    fast = dataclasses.replace(NOISY, model=simdiff.models.RandomFeatures(100.0), psi_n=0.25, m=1, t=0.2)
    found, scales = simdiff.best_stopping(fast), simdiff.time_scales(fast)
    times = np.geomspace(1e-4, 1.0, 401)
    test = curve(fast, times, "test")
    assert found.value == pytest.approx(test.min(), rel=1e-4)
    assert found.time == pytest.approx(times[test.argmin()], rel=0.05)
    assert found.value < 0.975 < 1.01 < test[times >= 0.01].min()
    assert scales.generalization == pytest.approx(times[test <= 1.001 * test.min()][0], rel=0.05)


def theory_of(shape):
    """A theory whose test and memorization errors are the given function of time."""

    def predict(problem):
        values = shape(np.array(problem.trainer.times))
        return {"test": values, "memorization": values}

    return predict


@pytest.mark.parametrize(
    ("shape", "value", "generalization"),
    [
        (lambda tau: 1.0 + 1.0 / (1.0 + tau), 1.0, 999.0),
        (lambda tau: 1.0 / np.log(10.0 + tau), math.nan, math.nan),
        (lambda tau: 1.0 + tau / (1.0 + tau), 1.0, math.nan),
    ],
    ids=["falls to a limit", "still falls", "only rises"],
)
def test_a_best_time_beyond_those_looked_at_is_nan_with_a_reason(shape, value, generalization):
    theory = theory_of(shape)
    with pytest.warns(EdgeWarning, match="no time from 1e-12 to 1e[+]08 has a better test"):
        found = simdiff.best_stopping(NOISY, theory=theory)
    assert found.at_edge
    assert math.isnan(found.time)
    assert found.value == pytest.approx(value, rel=1e-7, nan_ok=True)
    scales = simdiff.time_scales(NOISY, theory=theory)
    assert scales.generalization == pytest.approx(generalization, rel=0.02, nan_ok=True)


def test_a_best_time_inside_is_no_edge():
    theory = theory_of(lambda tau: 2.0 - tau / (1.0 + tau) + tau / (tau + 1e6))
    with warnings.catch_warnings():
        warnings.simplefilter("error", EdgeWarning)
        found = simdiff.best_stopping(NOISY, theory=theory)
    assert not found.at_edge
    assert found.time == pytest.approx(1e3, rel=0.05)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: simdiff.best_stopping(NOISY, "train"), "decreases"),
        (lambda: simdiff.best_stopping(NOISY, "tset"), "test"),
        (lambda: simdiff.time_scales(dataclasses.replace(NOISY, trainer=Optax(steps=4))), "GradientFlow"),
    ],
)
def test_bad_questions_are_refused(build, words):
    with pytest.raises(simdiff.InputError, match=words):
        build()
