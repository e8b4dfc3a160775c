"""A ridge trial against an independent NumPy trial on the same random numbers."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from trial_reference import fresh_errors, problem, ridge_trial, run_afresh, run_kernel

import simdiff
from simdiff.engine import padding as buckets
from simdiff.problems.denoising import problem as denoising

KEY = jax.random.key(7)


CASES = {
    "primal": problem(),
    "dual": problem(psi_p=5.0, m=1),
    "relu": problem(activation="relu"),
    "softplus, two levels": problem(
        activation="softplus", data=simdiff.data.Gaussian(([0.5, 2.0], [0.75, 0.25]))
    ),
    "power law, dual": problem(psi_p=6.0, data=simdiff.data.PowerLaw(1.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_train_and_objective_equal_the_reference(name):
    case, d = CASES[name], 40
    found = run_kernel(case, d, KEY)
    _, train, objective, _, _ = ridge_trial(case, d, KEY)
    # float64 with condition numbers up to 1e4 on both sides
    np.testing.assert_allclose([found["train"], found["objective"]], [train, objective], rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_fresh_errors_lie_within_sampling_error(name):
    case, d = CASES[name], 40
    found = run_kernel(case, d, KEY)
    b, _, _, w, x = ridge_trial(case, d, KEY)
    (test, test_error), (memo, memo_error) = fresh_errors(case, d, b, w, x, seed=1)
    assert abs(found["test"] - test) < 4 * test_error
    # the kernel's own memorization error rests on 4 d rows, the reference on 20000
    own = memo_error * math.sqrt(20000 / (4 * d))
    assert abs(found["memorization"] - memo) < 4 * math.hypot(own, memo_error)
    h = -math.expm1(-2 * case.t)
    s, weights = case.at_size(d).data.spectrum()
    floor = 1 - np.sum(weights * h / (math.exp(-2 * case.t) * s + h))
    assert found["score"] == pytest.approx((found["test"] - floor) / h, rel=1e-10)


def test_a_wrong_floor_or_a_wrong_test_error_would_be_seen():
    case, d = CASES["primal"], 40
    b, _, _, w, x = ridge_trial(case, d, KEY)
    (test, error), _ = fresh_errors(case, d, b, w, x, seed=1)
    wrong = dataclasses.replace(case, t=0.31)
    assert abs(run_kernel(wrong, d, KEY)["test"] - test) > 8 * error


@pytest.mark.parametrize("name", ["primal", "dual"])
def test_padding_and_blocks_change_nothing_but_rounding(name, monkeypatch):
    case, d = CASES[name], 40
    plain = run_kernel(case, d, KEY)
    monkeypatch.setattr(denoising, "bucket", lambda length, **more: 2 * buckets.bucket(length) + 3)
    monkeypatch.setattr(denoising, "block_rows", lambda rows, features: 37)
    padded = run_afresh(monkeypatch, case, d, KEY)
    for metric in plain:
        np.testing.assert_allclose(padded[metric], plain[metric], rtol=1e-9)


def test_samples_drawn_again_equal_samples_kept(monkeypatch):
    case, d = CASES["primal"], 40
    kept = run_kernel(case, d, KEY)
    monkeypatch.setattr(denoising, "_STORED_SAMPLES_BYTES", 0)
    again = run_afresh(monkeypatch, case, d, KEY)
    for metric in kept:
        np.testing.assert_allclose(again[metric], kept[metric], rtol=1e-12)


def test_primal_equals_dual(monkeypatch):
    case, d = CASES["dual"], 40
    dual = run_kernel(case, d, KEY)
    shape = denoising.DenoisingScoreMatching.shape
    monkeypatch.setattr(
        denoising.DenoisingScoreMatching,
        "shape",
        lambda self, d: dataclasses.replace(shape(self, d), dual_rows=0),
    )
    primal = run_afresh(monkeypatch, case, d, KEY)
    for metric in dual:
        # the primal train error is a difference of numbers of order 1 divided by the ridge
        np.testing.assert_allclose(primal[metric], dual[metric], rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(("dtype", "ridge", "bound"), [("float32", 1e-3, 1e-4), ("mixed", 1e-4, 1e-4)])
@pytest.mark.heavy
def test_low_precision_is_accurate_where_it_is_chosen(dtype, ridge, bound):
    case, d = problem(psi_p=3.0, m=4, ridge=ridge), 60
    assert case.arithmetic() == dtype
    exact, fast = run_kernel(case, d, KEY), run_kernel(case, d, KEY, dtype)
    for metric in exact:
        np.testing.assert_allclose(fast[metric], exact[metric], rtol=bound)


def test_tiny_ridge_chooses_float64():
    assert problem(ridge=1e-6).arithmetic() == "float64"
    assert problem(ridge=1e-6).arithmetic("float32") == "float32"
