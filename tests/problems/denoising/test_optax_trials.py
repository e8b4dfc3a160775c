"""Gradient training meets the exact minimiser, on fixed and on fresh noise."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from trial_reference import run_kernel

import simdiff
from simdiff.problems.denoising.optax_kernel import OptaxKernel

KEY = jax.random.key(11)
D = 30


def problem(trainer, m=2, activation="tanh"):
    model = simdiff.models.RandomFeatures(1.5, activation)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=m, t=0.3)


def trained(*, m=2, **settings):
    return run_kernel(problem(simdiff.trainers.Optax(**settings), m), D, KEY)


@pytest.mark.parametrize(
    ("name", "rate", "steps"), [("sgd", 0.5, 20000), ("momentum", 0.2, 5000), ("adam", 0.03, 4000)]
)
@pytest.mark.heavy
def test_trained_long_it_meets_the_ridge_minimiser(name, rate, steps):
    exact = run_kernel(problem(simdiff.trainers.Ridge(1e-2)), D, KEY)
    found = trained(name=name, learning_rate=rate, steps=steps, ridge=1e-2)
    for metric, value in exact.items():
        # the slowest mode decays by exp(-rate ridge steps / (1 - momentum)) < e^-10
        assert found[metric][-1] == pytest.approx(value, rel=1e-3), metric
    assert abs(found["train"][0] / exact["train"] - 1) > 0.05, "it had converged from the start"


def test_the_objective_falls_and_records_are_log_spaced():
    trainer = simdiff.trainers.Optax("sgd", 0.2, steps=1000, records=5, ridge=1e-2)
    found = run_kernel(problem(trainer), D, KEY)
    assert trainer.times == (1.0, 6.0, 32.0, 178.0, 1000.0)
    assert simdiff.trainers.Optax(steps=7, records=1).times == (7.0,)
    assert np.all(np.diff(found["objective"]) < 0)


@pytest.mark.heavy
def test_sgd_is_gradient_flow_in_the_stated_time():
    """Full-batch steps multiply the error in B by (1 - rate (U + ridge)): no constant is hidden."""
    coarse = trained(name="sgd", learning_rate=0.02, steps=500, ridge=1e-2)
    fine = trained(name="sgd", learning_rate=0.01, steps=1000, ridge=1e-2)
    half = trained(name="sgd", learning_rate=0.01, steps=500, ridge=1e-2)
    # Euler's error is of order rate * eigenvalue, about 1%; half the time is not the same point
    assert fine["train"][-1] == pytest.approx(coarse["train"][-1], rel=2e-2)
    assert abs(half["train"][-1] / coarse["train"][-1] - 1) > 5e-2


@pytest.mark.heavy
def test_batches_on_fixed_noise_stay_near_the_minimiser_and_fresh_noise_near_m_infinity():
    settings = {"name": "sgd", "learning_rate": 0.1, "steps": 6000, "batch": 32, "ridge": 1e-2}
    settings["schedule"] = "linear"
    fixed = trained(**settings, m=1)
    fresh = trained(**settings, noise="fresh", m=math.inf)
    at_one = run_kernel(problem(simdiff.trainers.Ridge(1e-2), 1), D, KEY)
    at_infinity = run_kernel(problem(simdiff.trainers.Ridge(1e-2), math.inf), D, KEY)
    for found, own, other in ((fixed, at_one, at_infinity), (fresh, at_infinity, at_one)):
        assert found["objective"][-1] == pytest.approx(own["objective"], rel=0.1)
        assert abs(found["objective"][-1] / other["objective"] - 1) > 0.3


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": "adm"}, "trainer.name"),
        ({"learning_rate": 0}, "trainer.learning_rate"),
        ({"noise": "fresh"}, "trainer.batch"),
        ({"steps": 0}, "trainer.steps"),
        ({"schedule": "cos"}, "trainer.schedule"),
    ],
)
def test_bad_settings_name_the_field(settings, field):
    with pytest.raises(simdiff.InputError) as caught:
        simdiff.trainers.Optax(**settings)
    assert caught.value.field == field


def test_fresh_noise_is_m_infinity():
    fresh = simdiff.trainers.Optax("sgd", 0.1, 10, batch=4, noise="fresh")
    with pytest.raises(simdiff.InputError, match="m = inf"):
        problem(fresh, m=2)
    with pytest.raises(simdiff.InputError, match="fresh"):
        problem(simdiff.trainers.Optax("sgd", 0.1, 10, batch=4), m=math.inf)


@pytest.mark.heavy
def test_a_step_too_long_for_features_with_a_mean_is_refused():
    """ReLU's mean gives U an eigenvalue near p E[rho]^2; half as long a step converges, and so does tanh."""
    trainer = simdiff.trainers.Optax("sgd", 0.5, steps=200, records=1)
    with pytest.raises(
        simdiff.InputError, match=r"trainer.learning_rate.*below 0\.\d+ at d = 40.*mean"
    ) as caught:
        problem(trainer, activation="relu").kernel(40)
    allowed = float(str(caught.value).split("below ")[1].split(" ")[0])
    problem(trainer, activation="tanh").kernel(40)
    errors = {}
    for share in (0.5, 1.5):
        step = dataclasses.replace(trainer, learning_rate=share * allowed)
        trial, inputs = problem(step, activation="relu").trial_program(40, "auto")
        kernel = OptaxKernel(trial, dataclasses.replace(step, ridge=0.0))
        errors[share] = float(jax.jit(kernel)(KEY, jax.tree.map(jax.numpy.asarray, inputs))["train"][0])
    assert errors[0.5] < 1
    assert not errors[1.5] < 1e3  # nan, in fact
