"""Networks against what is known: features and a linear map written as networks, on the same numbers."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trial_reference import run_kernel

import simdiff
from simdiff.engine.random_numbers import normal_rows

D = 24
KEYS = [jax.random.key(seed) for seed in range(6)]
RF = simdiff.models.RandomFeatures(1.5)
RIDGE = 1e-2


def rf_init(key, d, p):
    return {"w": normal_rows(key, jnp.arange(p), d), "b": jnp.zeros((d, p))}


def rf_apply(params, x):
    """Minus B f, an estimate of the noise; B = sqrt(h/p) A is what gradient flow is told of."""
    return -params["b"] @ jnp.tanh(params["w"] @ x / math.sqrt(x.size))


def linear_init(key, d):
    return jnp.zeros((d, d))


def linear_apply(w, x):
    return w @ x


FEATURES = simdiff.models.Network(
    rf_init, rf_apply, predicts="noise", psi_p=1.5, like="tanh", exact=True, frozen=("w",)
)
LINEAR = simdiff.models.Network(linear_init, linear_apply, predicts="noise", like="linear", exact=True)


def problem(model, trainer, **fields):
    return simdiff.DenoisingScoreMatching(
        model=model, trainer=trainer, **{"psi_n": 2.0, "m": 2, "t": 0.3} | fields
    )


def sgd(rate=0.2, steps=60, records=3, **settings):
    return simdiff.trainers.Optax("sgd", rate, steps, ridge=RIDGE, records=records, **settings)


def assert_same(found, expected, names, rel=2e-4):
    for name in names:  # float32 sums in another order
        np.testing.assert_allclose(found[name], expected[name], rtol=rel, err_msg=name)


def test_frozen_features_are_random_features_on_the_same_random_numbers():
    """Every metric on the same draws to rounding, at every record."""
    trainer = sgd()
    expected = run_kernel(problem(RF, trainer), D, KEYS[0], "float32")
    found = run_kernel(problem(FEATURES, trainer), D, KEYS[0], "float32")
    assert_same(found, expected, ("train", "memorization", "objective"))
    assert np.all(found["diverged"] == 0)


def test_errors_on_fresh_points_are_those_of_random_features_in_law_and_not_those_of_fewer_steps():
    gaps = []
    for key in KEYS:
        exact, measured = (run_kernel(problem(m, sgd()), D, key, "float32") for m in (RF, FEATURES))
        gaps.append([measured[name] - exact[name][-1] for name in ("test", "score")])
    at_end, before = np.array(gaps)[:, :, -1], np.array(gaps)[:, :, 0]
    for found, agree in ((at_end, True), (before, False)):
        pulls = np.mean(found, 0) / (np.std(found, 0, ddof=1) / math.sqrt(len(KEYS)))
        assert np.all(np.abs(pulls) < 5) == agree  # t with 5 degrees of freedom: p = 0.004 each


@pytest.mark.heavy
def test_trained_long_frozen_features_meet_the_ridge_minimiser_and_on_the_way_the_flow():
    trainer = simdiff.trainers.Optax("sgd", 0.2, 12000, ridge=RIDGE, records=3)
    found = run_kernel(problem(FEATURES, trainer), D, KEYS[1])
    exact = run_kernel(problem(RF, simdiff.trainers.Ridge(RIDGE)), D, KEYS[1])
    flow = simdiff.trainers.GradientFlow(trainer.training_times, ridge=RIDGE)
    path = run_kernel(problem(RF, flow), D, KEYS[1])
    for name in ("train", "memorization", "objective"):
        # the slowest mode has decayed by exp(-rate ridge steps) = e^-24
        assert found[name][-1] == pytest.approx(exact[name], rel=1e-4), name
        # Euler's error at the second record is of order rate times the fastest mode left
        assert found[name][1] == pytest.approx(path[name][1], rel=2e-2), name
    assert abs(found["train"][1] / exact["train"] - 1) > 0.05
    assert abs(found["train"][0] / path["train"][1] - 1) > 0.2


@pytest.mark.heavy
def test_a_linear_network_is_the_linear_model_and_its_bias_free_twin_is_not_its_double():
    trainer = sgd(batch=8, rate=0.05)
    expected = run_kernel(problem(simdiff.models.Linear(), trainer), D, KEYS[2], "float32")
    found = run_kernel(problem(LINEAR, trainer), D, KEYS[2], "float32")
    assert_same(found, expected, ("train", "memorization", "objective"))
    np.testing.assert_allclose(found["test"], expected["test"], rtol=0.05)


@pytest.mark.heavy
def test_a_linear_network_meets_the_linear_theory_and_a_wrong_theory_is_rejected():
    point = problem(LINEAR, sgd(rate=0.1, steps=50, records=1), psi_n=2.0)
    assert point.default_theory == "linear_denoiser"
    settings = {"sizes": (16, 24, 48), "precision": 0.03, "max_trials": 32, "extrapolation": (1.0,)}
    assert simdiff.validate(point, **settings).agree is True

    def at_more_samples(asked):
        return simdiff.predict(dataclasses.replace(asked, psi_n=1.1 * asked.psi_n))

    assert simdiff.validate(point, at_more_samples, **settings).agree is False


def test_what_the_output_stands_for_is_only_a_way_to_write_it():
    """Score, noise and data parametrisations of one function, told t, are one network."""

    def as_score(w, x, t):
        return -w @ x / jnp.sqrt(-jnp.expm1(-2 * t))

    def as_data(w, x, t):
        return (x - jnp.sqrt(-jnp.expm1(-2 * t)) * (w @ x)) * jnp.exp(t)

    found = []
    for predicts, apply in (("noise", linear_apply), ("score", as_score), ("data", as_data)):
        model = simdiff.models.Network(linear_init, apply, predicts=predicts)
        program, inputs = problem(model, sgd()).trial_program(D, "float64")
        setup = program.setup(KEYS[3], jax.tree.map(jnp.asarray, inputs))
        w, x = (normal_rows(key, jnp.arange(D), D).astype(float) for key in KEYS[:2])
        found.append(program.network.predicted(setup.state, w, setup.pairs, x))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-10)
    np.testing.assert_allclose(found[0], -x @ w.T, rtol=1e-10)


@pytest.mark.heavy
def test_fresh_noise_trains_towards_m_infinity_where_train_is_memorization():
    trainer = simdiff.trainers.Optax("sgd", 0.05, 800, batch=32, noise="fresh", ridge=RIDGE, records=1)
    trainer = dataclasses.replace(trainer, schedule="linear")
    found = run_kernel(problem(LINEAR, trainer, m=math.inf), D, KEYS[4])
    exact, one = (
        run_kernel(problem(simdiff.models.Linear(), simdiff.trainers.Ridge(RIDGE), m=m), D, KEYS[4])
        for m in (math.inf, 1)
    )
    assert found["train"] == found["memorization"]
    assert found["train"][0] == pytest.approx(exact["train"], rel=0.06)
    assert abs(found["train"][0] / one["train"] - 1) > 0.2


def test_a_loss_that_is_not_finite_is_a_row_with_its_step():
    point = problem(LINEAR, sgd(rate=50.0, steps=400, records=4))
    rows = simdiff.simulate(point, d=12, trials=2)
    assert set(rows[rows["time"] == 400]["status"]) <= {f"non-finite loss at step {k}" for k in range(10, 60)}
    assert len(rows) == 8
    assert set(rows[rows["time"] == 1]["status"]) == {"ok"}


@pytest.mark.heavy
def test_a_theory_of_another_network_is_an_approximation_without_a_verdict():
    like = dataclasses.replace(FEATURES, exact=False)
    settings = {"sizes": (12, 16), "precision": 0.5, "max_trials": 8}
    verdict = simdiff.validate(problem(like, sgd(steps=2, records=1)), "gaussian_equivalence", **settings)
    assert verdict.agree is None
    assert set(verdict.table["verdict"]) == {"approximation"}
    assert verdict.table["p_value"].isna().all()
    assert verdict.table["reason"].str.contains("from the theory of another model").all()
    ridge = simdiff.predict(problem(RF, simdiff.trainers.Ridge(RIDGE)))
    told = dict(zip(verdict.table["metric"], verdict.table["theory"], strict=True))
    assert told == pytest.approx(ridge)
