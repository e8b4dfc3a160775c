"""Gradient-flow trials against an independent solution on the same random numbers, and against ridge."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from trial_reference import draws, feature, fresh_errors, problem, run_kernel

import simdiff
from simdiff.trainers import GradientFlow

KEY = jax.random.key(7)
D = 40
TIMES = (1e-2, 1.0, 30.0, 1e4)
SHAPES = {"p < n m": (1.5, 2), "p > n m": (3.0, 1)}


def flow(base, times=TIMES, ridge=None):
    ridge = base.trainer.ridge if ridge is None else ridge
    return dataclasses.replace(base, trainer=GradientFlow(times, ridge))


def reference(base, times, ridge, key):
    """B at each time by plain matrix exponentials on U, and the training targets."""
    w, x, z = draws(base, D, key)
    a, h = math.exp(-base.t), -math.expm1(-2 * base.t)
    f = feature(base, w, a * np.repeat(x, base.m, 0) + math.sqrt(h) * z)
    u, v = f.T @ f / len(f), f.T @ z / len(f)
    values, q = np.linalg.eigh(u)
    path = []
    for tau in times:
        rate = np.maximum(values, 0) + ridge
        phi = np.where(rate * tau > 1e-12, -np.expm1(-rate * tau) / np.maximum(rate, 1e-300), tau)
        path.append(-(v.T @ (q * phi)) @ q.T)
    return path, f, z, w, x


@pytest.mark.parametrize("ridge", [0.0, 1e-2])
@pytest.mark.parametrize("shape", SHAPES)
def test_flow_is_what_an_independent_solution_says(shape, ridge):
    psi_p, m = SHAPES[shape]
    base = problem(psi_p=psi_p, m=m)
    found = run_kernel(flow(base, ridge=ridge), D, KEY)
    path, f, z, w, x = reference(base, TIMES, ridge, KEY)
    for i, b in enumerate(path):
        train = np.mean((z + f @ b.T) ** 2)
        assert found["train"][i] == pytest.approx(train, rel=1e-8, abs=1e-12)
        assert found["objective"][i] == pytest.approx(train + ridge * np.sum(b**2) / D, rel=1e-8, abs=1e-12)
    for i in (1, 3):
        (test, test_error), _ = fresh_errors(base, D, path[i], w, x, seed=i)
        assert abs(found["test"][i] - test) < 4 * test_error
        assert abs(found["test"][i] * 1.05 - test) > 4 * test_error


@pytest.mark.parametrize(
    ("psi_p", "m", "data"),
    [
        pytest.param(1.5, 2, simdiff.data.HiddenManifold(0.5), marks=pytest.mark.heavy),
        pytest.param(3.0, 1, simdiff.data.LinearManifold(0.5), marks=pytest.mark.heavy),
        (1.0, math.inf, None),
    ],
)
def test_late_flow_is_the_ridge_minimiser_and_early_flow_the_zero_network(psi_p, m, data):
    base = problem(psi_p=psi_p, m=m, ridge=1e-2, data=data)
    exact = run_kernel(base, D, KEY)
    found = run_kernel(flow(base, (1e-9, 1e7)), D, KEY)
    for name, value in exact.items():
        assert found[name][-1] == pytest.approx(value, rel=1e-6, abs=1e-9), name
    assert found["test"][0] == pytest.approx(1.0, abs=0.1 if data and not data.gaussian else 1e-7)
    assert abs(found["train"][0] - 1.0) < 0.2  # the mean of |z|^2 / d over the pairs


def test_one_over_the_longest_time_acts_like_a_ridge_on_the_precision():
    base = problem()
    assert flow(base, (1.0, 10.0), 0.0).arithmetic() == "float32"
    assert flow(base, (1.0, 1e6), 0.0).arithmetic() == "float64"
    assert flow(base, (1.0, 1e6), 1e-2).arithmetic() == "float32"


@pytest.mark.parametrize("times", [(), (0.0, 1.0), (-1.0,), (2.0, 1.0), (1.0, 1.0), (math.nan,)])
def test_bad_times_are_refused(times):
    with pytest.raises(simdiff.InputError, match=r"trainer\.times"):
        GradientFlow(times)


def test_a_negative_ridge_is_refused():
    with pytest.raises(simdiff.InputError, match=r"trainer\.ridge"):
        GradientFlow((1.0,), -1e-3)
