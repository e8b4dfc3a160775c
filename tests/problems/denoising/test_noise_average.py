"""m = infinity is exact given samples and weights: no finite number of draws stands in for it."""

import math

import jax
import numpy as np
import pytest
from trial_reference import draws, feature, problem, run_afresh, run_kernel

from simdiff.functions import hermite
from simdiff.problems.denoising import noise_average

KEY = jax.random.key(3)


@pytest.mark.parametrize(
    "activation", ["tanh", *(pytest.param(name, marks=pytest.mark.heavy) for name in ("relu", "hard_tanh"))]
)
def test_metrics_are_the_limit_of_many_draws(activation):
    d, draws_a_sample = 30, 4000
    case = problem(psi_p=1.5, m=math.inf, activation=activation)
    exact = run_kernel(case, d, KEY)
    w, x, _ = draws(case, d, KEY)
    rng = np.random.default_rng(0)
    a, h, ridge = math.exp(-case.t), -math.expm1(-2 * case.t), case.trainer.ridge
    u, v, errors = 0.0, 0.0, []
    for _ in range(draws_a_sample):
        z = rng.standard_normal(x.shape)
        f = feature(case, w, a * x + math.sqrt(h) * z)
        u, v = u + f.T @ f / len(f) / draws_a_sample, v + f.T @ z / len(f) / draws_a_sample
    for trial in (u, u + 0.01 * np.diag(np.diag(u))):
        b = -np.linalg.solve(trial + ridge * np.eye(len(u)), v).T
        errors.append(1 + (2 * np.sum(b.T * v) + np.sum((b @ trial) * b)) / d)
    # m = 4000 leaves an effect of order p / (n m) = 2e-4; U off by 1% on the diagonal is seen
    assert exact["train"] == pytest.approx(errors[0], rel=1e-3)
    assert abs(exact["train"] / errors[1] - 1) > 3e-3
    assert exact["memorization"] == exact["train"]


@pytest.mark.heavy
def test_the_series_is_long_enough(monkeypatch):
    case, d = problem(psi_p=2.0, m=math.inf, activation="relu"), 64
    short = run_kernel(case, d, KEY)
    length = hermite.series_length(d)
    monkeypatch.setattr(noise_average, "series_length", lambda d: length + 6)
    long = run_afresh(monkeypatch, case, d, KEY)
    monkeypatch.setattr(noise_average, "series_length", lambda d: 2)
    too_short = run_afresh(monkeypatch, case, d, KEY)
    for metric in ("train", "test", "objective"):
        # a trial's own spread is about 1e-2 of the value at this size
        assert short[metric] == pytest.approx(long[metric], rel=1e-6)
        assert too_short[metric] != pytest.approx(long[metric], rel=1e-4)
