"""Learning curves in training time: against simulation, at both ends of time, and their error bars."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import subprocess
import sys
import types

import finite_flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from finite_flow import POINTS, flow
from theory_points import ERF, METRICS, RELU, TANH, corners, make

from simdiff import InputError
from simdiff.theory.denoising import gradient_flow
from simdiff.theory.denoising.contour_region import feature_variance, region_of
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.gradient_flow import FlowCurves, flow_curves, predict, predict_many
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs, learning_curve
from simdiff.theory.denoising.pair_response import contour_response, mean_output
from simdiff.theory.numerics import contour
from simdiff.theory.numerics.contour import contour_in

SPECTRUM = ([0.2, 1.0, 4.0], [0.3, 0.5, 0.2])


def padded(problem, ridge: float) -> TheoryInputs:
    """Spectra of four atoms, so that one compilation serves the whole file."""
    fields = inputs_of(problem, ridge)._asdict()
    for name in ("eigenvalues", "weights"):
        fields[name] = np.pad(fields[name], (0, 4 - fields[name].size))
    return TheoryInputs(**fields)


def traced(setting: TheoryInputs) -> TheoryInputs:
    return TheoryInputs(*(jnp.asarray(field, dtype=jnp.float64) for field in setting))


def values(curves: FlowCurves) -> np.ndarray:
    """(metric, time), of the first part."""
    assert curves.converged
    return np.stack([getattr(curves, name)[0] for name in METRICS])


@pytest.fixture(scope="module")
def simulated():
    program = pathlib.Path(finite_flow.__file__)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    return {name: np.array(pair) for name, pair in json.loads(done.stdout).items()}


def predictions(name: str, change=lambda setting: setting, tempo: float = 1.0) -> np.ndarray:
    """All metrics and times of a point, from constants that `change` and a clock that `tempo` may spoil."""
    problem = POINTS[name]
    setting = change(padded(problem, problem.trainer.ridge))
    times, step = np.array(problem.trainer.times) * tempo, problem.trainer.step * tempo
    return values(flow_curves(setting, times, step))


def pulls(simulated, name: str, predicted: np.ndarray) -> np.ndarray:
    estimate, error = simulated[name]
    # p > n m: the train error ends below the rounding error of the simulation, 1e-12
    return np.abs(estimate - predicted) / np.hypot(error, 1e-10)


@pytest.mark.parametrize("name", POINTS)
def test_all_metrics_agree_at_all_times(simulated, name):
    # 100 comparisons, errors estimated from 25 trials: chance exceeds 4.5 once in 100 choices of seeds.
    assert pulls(simulated, name, predictions(name)).max() < 4.5


WRONG = {
    "v2 20% low": (lambda s: s._replace(v2=0.8 * s.v2), 1.0),
    "s2 30% low": (lambda s: s._replace(s2=0.7 * s.s2), 1.0),
    "one draw too many": (lambda s: s._replace(i=s.i / (1 + s.i)), 1.0),
    "time 10% fast": (lambda s: s, 1.1),
}


@pytest.mark.parametrize("change", WRONG)
def test_a_wrong_theory_is_rejected(simulated, change):
    spoil, tempo = WRONG[change]
    worst = {name: pulls(simulated, name, predictions(name, spoil, tempo)).max() for name in POINTS}
    assert max(worst.values()) > 6.0


SIDES = {
    "p < n m": (1.5, 2.5, 3, 0.2, RELU),
    "p > n m": (0.5, 2.0, 2, 0.1, ERF),
    "m = infinity": (1.0, 2.0, math.inf, 0.3, TANH),
}


def side(name: str, ridge: float) -> TheoryInputs:
    *point, rho = SIDES[name]
    return padded(make(*point, 1.0, rho, SPECTRUM), ridge)


minimisers = jax.jit(learning_curve)


def minimiser(setting: TheoryInputs, ridge: float):
    return minimisers(traced(setting._replace(ridge=ridge)))


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
@pytest.mark.parametrize("name", SIDES)
def test_late_flow_is_the_ridge_minimiser_in_every_direction(name, ridge):
    setting = side(name, ridge)
    parts = np.vstack([setting.weights, np.eye(4)])
    late = flow_curves(setting, [30.0, 1e8], parts=parts)
    limit = minimiser(setting, max(ridge, 1e-12))
    assert late.converged
    for metric in METRICS:
        value = float(getattr(limit, metric))
        assert getattr(late, metric)[0, 1] == pytest.approx(value, rel=1e-6, abs=1e-10)
        if metric != "objective":
            found = getattr(late, metric)[1:4, 1]
            np.testing.assert_allclose(found, getattr(limit.directions, metric)[:3], rtol=1e-6, atol=1e-10)
    # At tau = 30 the slowest directions are not there yet.
    assert abs(late.test[0, 0] / float(limit.test) - 1.0) > 1e-4


@pytest.mark.parametrize("name", SIDES)
def test_early_flow_is_the_zero_network_and_its_first_step(name):
    setting, tau = side(name, 1e-2), 1e-4
    curves = flow_curves(setting, [tau, 2 * tau])
    noise, i = setting.mu1**2 * setting.h, setting.i
    zero = float(setting.weights @ (1.0 / (setting.a2 * setting.eigenvalues + setting.h)))
    # B = -tau V^T: the mean of V is that of fresh data, its fluctuations lower the train error only
    fresh = 2.0 * setting.psi_p * noise
    seen = fresh + 2.0 * setting.psi_p * i / setting.psi_n * feature_variance(setting)
    slopes = {"test": fresh, "memorization": fresh, "train": seen, "objective": seen}
    for metric, slope in slopes.items():
        first, second = getattr(curves, metric)[0]
        assert (4 * (1 - first) - (1 - second)) / (2 * tau) == pytest.approx(slope, rel=1e-4)
    assert curves.score[0, 0] == pytest.approx(zero, rel=1e-2)
    assert seen > 1.01 * fresh or i == 0.0


def test_at_p_equal_to_n_m_the_test_error_grows_as_the_square_root_of_time():
    setting = padded(make(2.0, 4.0, 2, 0.1, 1.0, TANH), 0.0)
    test = flow_curves(setting, [1e6, 1e7, 1e8]).test[0]
    np.testing.assert_allclose(np.diff(np.log10(test)), 0.5, atol=5e-3)
    train = flow_curves(setting, [1e6, 1e7, 1e8]).train[0]
    np.testing.assert_allclose(np.diff(np.log10(train)), -0.5, atol=5e-3)


def test_memorization_is_the_train_error_at_infinitely_many_draws_only():
    times = np.geomspace(1e-2, 1e8, 21)  # a sum over pairs of ridges against one over single ridges
    curves = flow_curves(side("m = infinity", 0.0), times)
    np.testing.assert_allclose(curves.memorization, curves.train, rtol=1e-7)
    many = flow_curves(side("m = infinity", 0.0)._replace(i=1e-3), times)
    assert np.abs(many.memorization / many.train - 1.0).max() > 1e-4


@pytest.fixture(scope="module")
def hard():
    problems = [p for p in corners(40, seed=5) if p.data.spectrum()[0].size <= 4]
    settings = [padded(problem, (0.0, 1e-6)[k % 2]) for k, problem in enumerate(problems)]
    return [(setting, flow_curves(setting, TIMES)) for setting in settings]


TIMES = np.geomspace(1e-2, 1e8, 41)


def test_curves_hold_over_the_whole_range(hard):
    for setting, curves in hard:
        assert curves.converged
        assert all(np.isfinite(getattr(curves, name)).all() for name in METRICS)
        assert min(curves.test.min(), curves.score.min(), curves.memorization.min()) > 0.0
        # gradient flow lowers what it minimises, at every time
        assert np.diff(curves.objective[0]).max() < 1e-9
        assert curves.train.min() > -1e-10
        np.testing.assert_allclose(curves.test[0, 0], 1.0, atol=0.1 * setting.psi_p)


def test_the_error_estimate_is_honest_and_of_use(hard, monkeypatch):
    ratios = []
    for setting, curves in hard:
        if curves.intervals != 128:
            continue
        with monkeypatch.context() as twice:
            twice.setattr(gradient_flow, "INTERVALS", (256,))
            finer = values(flow_curves(setting, TIMES))
        error = np.max(np.abs(values(curves) - finer) / (1.0 + np.abs(finer)))
        assert error <= curves.error <= gradient_flow.TOLERANCE
        ratios.append(curves.error / error)
    assert len(ratios) > 5
    assert np.median(ratios) < 1000.0


def test_too_coarse_a_rule_is_reported(monkeypatch):
    monkeypatch.setattr(gradient_flow, "INTERVALS", (128,))
    monkeypatch.setattr(contour, "HALF_WIDTH", 0.05)
    curves = flow_curves(side("p < n m", 0.0), TIMES)
    assert not curves.converged
    assert curves.error > 1e-3
    problem = flow((0.1, 1e8), (1.0, 2.0, 2, 0.1, 0.0))
    place = r"psi_n=1, psi_p=2, m=2, t=0\.1, ridge=0"
    with pytest.warns(ConvergenceWarning, match=place):
        assert np.isnan(predict(problem)["test"]).all()


def test_a_contour_that_leaves_eigenvalues_out_is_noticed(monkeypatch):
    setting = side("p < n m", 0.0)
    region = region_of(setting, 1e8)
    monkeypatch.setattr(gradient_flow, "INTERVALS", (128,))
    assert flow_curves(setting, TIMES).converged
    monkeypatch.setattr(gradient_flow, "region_of", lambda *args: region._replace(high=0.1 * region.high))
    assert not flow_curves(setting, TIMES).converged


def test_pairs_of_ridges_are_symmetric_and_conjugate():
    setting = side("p < n m", 0.0)
    z = jnp.asarray(contour_in(region_of(setting, 1e6), 128).nodes)
    above, below = contour_response(traced(setting), z), contour_response(traced(setting), z.conj())
    assert bool((above.nodes.converged & below.nodes.converged).all())
    np.testing.assert_allclose(above.nodes.gamma.conj(), below.nodes.gamma, rtol=1e-10)
    for form, mirrored in zip(above.pairs, below.pairs, strict=True):
        near, far = np.split(np.asarray(form), 2, axis=2)
        scale = np.abs(form).max(axis=(1, 2), keepdims=True)
        assert (np.abs(near - np.swapaxes(near, 1, 2)) / scale).max() < 1e-9
        assert (np.abs(far - np.swapaxes(far, 1, 2).conj()) / scale).max() < 1e-9
        assert (np.abs(form - np.conj(mirrored)) / scale).max() < 1e-9


def test_equal_ridges_give_the_minimiser_and_different_ones_do_not():
    setting, k = side("p < n m", 0.0), 60
    ridges = np.geomspace(1e-6, 10.0, 129)
    nodes, forms = contour_response(traced(setting), jnp.asarray(-ridges + 0j))
    b = np.asarray(mean_output(setting, nodes)).real
    limit = minimiser(setting, ridges[k]).directions
    signal, variance = (
        setting.mu1**2 * setting.a2 * setting.eigenvalues,
        setting.a2 * setting.eigenvalues + setting.h,
    )

    def pair(other: int) -> tuple[np.ndarray, np.ndarray]:
        test, memorization = (
            np.real(
                sum(form[q, k, other] * signal**q for q in range(3)) * nodes.inverse[k] * nodes.inverse[other]
            )
            for form in forms
        )
        off = (b[k] - setting.h / variance) * (b[other] - setting.h / variance) * variance / setting.h
        return 1.0 - setting.h / variance + off + test, (1.0 - b[k]) * (1.0 - b[other]) + memorization

    for found, expected in zip(pair(k), (limit.test, limit.memorization), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert all(np.abs(found[:3] / pair(k)[n][:3] - 1.0).min() > 1e-3 for n, found in enumerate(pair(k + 3)))


def test_descent_tends_to_the_flow_as_its_step():
    setting, times = side("p < n m", 1e-3), [1.0, 10.0, 100.0]
    smooth = values(flow_curves(setting, times))
    gaps = [np.abs(values(flow_curves(setting, times, step)) - smooth) for step in (0.02, 0.01)]
    assert (gaps[0] > 1e-6).all()
    np.testing.assert_allclose(gaps[0] / gaps[1], 2.0, rtol=0.05)


def test_one_call_for_many_problems():
    problems = list(POINTS.values())
    together = predict_many(problems)
    assert predict.many is predict_many
    assert predict_many([]) == []
    for problem, row in zip(problems, together, strict=True):
        assert tuple(row) == METRICS
        assert all(
            value.shape == (len(problem.times),) and value.dtype == np.float64 for value in row.values()
        )
        np.testing.assert_array_equal(predict(problem)["memorization"], row["memorization"])
    names = (*METRICS, "floor", "test_parallel", "test_orthogonal")
    listed = flow((0.1, 10.0), (1.0, 2.0, 2, 0.1, 0.0, TANH, ([0.0, 2.0], [0.5, 0.5])))
    listed.metrics = tuple(types.SimpleNamespace(name=name) for name in names)
    row = predict(listed)
    assert tuple(row) == names
    np.testing.assert_allclose(0.5 * (row["test_parallel"] + row["test_orthogonal"]), row["test"], rtol=1e-12)
    np.testing.assert_allclose(row["floor"] + row["score"] * -math.expm1(-0.2), row["test"], rtol=1e-12)


BAD = {
    "unsorted times": ("times", (1.0, 0.5), r"trainer\.times.*ascending"),
    "negative time": ("times", (-1.0, 0.5), r"trainer\.times: got -1\.0"),
    "time 0": ("times", (0.0, 0.5), r"trainer\.times: got 0\.0.*at time 0"),
    "no times": ("times", (), r"trainer\.times"),
    "a word": ("times", ("soon",), r"trainer\.times"),
    "infinite time": ("times", (1.0, math.inf), r"trainer\.times"),
    "negative ridge": ("ridge", -1e-3, r"trainer\.ridge"),
    "too long a step": ("step", 100.0, r"trainer\.step.*diverge"),
    "time between steps": ("step", 0.03, r"trainer\.times.*whole multiples"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    field, value, message = BAD[name]
    problem = flow((0.1, 100.0), (1.0, 2.0, 2, 0.1, 0.0))
    problem.trainer = dataclasses.replace(problem.trainer, **{field: value})
    with pytest.raises(InputError, match=message):
        predict(problem)


def test_another_trainer_is_refused():
    with pytest.raises(InputError, match="trainer: got 'Ridge'; allowed: a trainer with training_times"):
        predict(make(1.0, 2.0, 2, 0.1, 1e-3))
