"""Ensembles of models of a point set: a trial against plain NumPy, the law of its weights, bad input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import PointMasses
from simdiff.engine.random_numbers import normal_rows
from simdiff.models import FourierFeatures, GaussianFeatures
from simdiff.problems.ensemble.kernel import draw_pairs
from simdiff.problems.ensemble.problem import train_models
from simdiff.sampling import VariancePreserving, flow_steps
from simdiff.sampling.observables import squared_distance
from simdiff.trainers import Ridge
from simdiff.trainers.weighted_ridge import weighted_ridge

SCHEDULE = VariancePreserving(t_min=1e-2)
LINE = simdiff.EnsembleSampling(
    PointMasses([-1.0, 0.0, 1.0], weights=[1, 2, 1]),
    GaussianFeatures(5, 5),
    SCHEDULE,
    steps=4,
    samples=256,
    fresh=64,
)
PLANE = simdiff.EnsembleSampling(
    PointMasses([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
    FourierFeatures(3, 3, target="score"),
    SCHEDULE,
    Ridge(0.01),
    steps=4,
    samples=256,
    fresh=64,
)


@pytest.mark.parametrize(
    ("problem", "size"),
    [
        pytest.param(LINE, 300, id="1-D denoiser, P > F", marks=pytest.mark.heavy),
        pytest.param(PLANE, 12, id="2-D score, P < F"),
    ],
)
def test_a_trial_is_what_numpy_gives(problem, size):
    kernel, inputs = problem.kernel(size, "float64")
    inputs, key = jax.tree.map(jnp.asarray, inputs), jax.random.key(4)
    found = jax.jit(lambda key: kernel(key, inputs))(key)
    parts = [jax.random.fold_in(key, i) for i in range(3)]
    kind = (problem.model.target, problem.weight)
    draw = jax.jit(lambda key, rows: draw_pairs(key, rows, SCHEDULE, inputs, kind))
    train, fresh = draw(parts[0], jnp.arange(size)), draw(parts[1], jnp.arange(64))
    phi, other = (np.asarray(problem.model.features(p.x, p.t, inputs["span"])) for p in (train, fresh))
    weights, y = np.asarray(train.weights), np.asarray(train.y)
    rows = phi * weights[:, None]
    gram = rows.T @ phi / size + problem.trainer.ridge * np.eye(phi.shape[1])
    W = np.linalg.solve(gram, rows.T @ y / size).T
    losses = {
        "train": np.mean(weights * np.sum((phi @ W.T - y) ** 2, axis=1)),
        "test": np.mean(np.asarray(fresh.weights) * np.sum((other @ W.T - np.asarray(fresh.y)) ** 2, axis=1)),
    }
    for name, value in losses.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)
    x = np.asarray(kernel.generate(jnp.asarray(W)[None], parts[2], inputs)[0])
    np.testing.assert_allclose(x, euler(problem, W, parts[2]), rtol=1e-6, atol=1e-8)
    points, masses = problem.data.arrays()
    distance = np.linalg.norm(x[:, None] - points, axis=2).min(1)
    wanted = {
        "gap": np.mean(distance > problem.gap_radius),
        "nearest": np.mean(distance**2),
        "spread": np.mean(np.sum((x - masses @ points) ** 2, axis=1)),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    assert set(found) == {metric.name for metric in problem.metrics}


def euler(problem, W, key):
    """The probability flow step by step, features evaluated one place at a time."""
    steps = jax.tree.map(np.asarray, flow_steps(SCHEDULE, problem.steps))
    span = jnp.array([SCHEDULE.t_min, SCHEDULE.t_max])
    D = problem.data.dimension
    z = normal_rows(jax.random.fold_in(key, 0), jnp.arange(problem.samples), D)
    x = np.sqrt(steps.level.sig2[0]) * np.asarray(z, float)
    evaluated = jax.jit(problem.model.features)
    for k in range(problem.steps):
        t, (a, h, beta, diffusion) = steps.t[k], (part[k] for part in steps.level)
        output = np.asarray(evaluated(jnp.asarray(x), jnp.full(len(x), t), span)) @ W.T
        score = output if problem.model.target == "score" else (a * output - x) / h
        x = x + steps.dt[k] * (beta * x + diffusion * score)
    return x


@pytest.mark.parametrize("rows", [8, 40], ids=["dual", "primal"])
def test_both_solvers_minimise_the_loss_and_padding_changes_nothing(rows):
    rng = np.random.default_rng(0)
    phi, y, weights = rng.standard_normal((rows, 20)), rng.standard_normal((rows, 2)), rng.random(rows)
    weights[-2:], n, ridge = 0.0, rows - 2, 0.3
    kept = phi[:n] * weights[:n, None]
    wanted = np.linalg.solve(kept.T @ phi[:n] / n + ridge * np.eye(20), kept.T @ y[:n] / n).T
    given = (jnp.asarray(part) for part in (phi, y, weights, np.float64(n), np.float64(ridge)))
    np.testing.assert_allclose(weighted_ridge(*given), wanted, rtol=1e-9, atol=1e-12)


def test_training_draws_follow_their_law():
    inputs = jax.tree.map(jnp.asarray, LINE.inputs(1))
    n = 40_000
    pairs = draw_pairs(jax.random.key(0), jnp.arange(n), SCHEDULE, inputs, ("denoiser", "sig2"))
    t, y = np.asarray(pairs.t), np.asarray(pairs.y)[:, 0]
    counts = [np.mean(y == value) for value in (-1, 0, 1)]
    np.testing.assert_allclose(counts, [0.25, 0.5, 0.25], atol=4 * 0.5 / np.sqrt(n))
    np.testing.assert_allclose(t.mean(), 0.505, atol=4 * 0.29 / np.sqrt(n))
    at = SCHEDULE.level(pairs.t)
    z = (np.asarray(pairs.x)[:, 0] - np.asarray(at.alpha) * y) / np.sqrt(np.asarray(at.sig2))
    np.testing.assert_allclose([z.mean(), z.var()], [0, 1], atol=4 * 1.5 / np.sqrt(n))
    np.testing.assert_allclose(pairs.weights, np.asarray(at.alpha) ** 2 / np.asarray(at.sig2), rtol=1e-12)
    first = draw_pairs(jax.random.key(0), jnp.arange(7), SCHEDULE, inputs, ("denoiser", "sig2"))
    np.testing.assert_array_equal(first.x, pairs.x[:7])


def test_distances_in_float32_keep_their_digits():
    x = jnp.array([[1.0 + 1e-6], [0.5]], jnp.float32)
    found = squared_distance(x, jnp.array([[0.0], [1.0]]))
    np.testing.assert_allclose(found, [(2.0**-20) ** 2, 0.25], rtol=1e-6)  # the float32 next to 1 + 1e-6


def test_the_engine_simulates_and_sizes_are_draws():
    rows = simdiff.simulate(dataclasses.replace(LINE, samples=0), d=40, trials=3)
    assert list(rows["d"]) == [40] * 3
    assert np.all(rows["status"] == "ok")
    assert "gap" not in rows
    at = LINE.at_size(40)
    assert (at.size, at == LINE, at.digest() == LINE.digest()) == (40, True, True)
    weights = train_models(LINE, 40, 2)
    assert weights.shape == (2, 1, 25)
    assert LINE.kernel(40)[0] == LINE.kernel(200)[0]  # one compilation


BAD = {
    "data": ({"data": [0.0, 1.0]}, "data.*PointMasses"),
    "model": ({"model": "gaussian"}, "model.*ScoreModel"),
    "trainer": ({"trainer": None}, "trainer: got None; allowed: an instance of Trainer"),
    "schedule": ({"schedule": simdiff.sampling.DDPM()}, "schedule.*Diffusion"),
    "steps": ({"steps": 0}, "steps.*>= 1"),
    "radius": ({"radius": -1.0}, "radius.*> 0"),
    "weight": ({"weight": "sigma2"}, "weight.*did you mean 'sig2'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(case):
    arguments, message = BAD[case]
    problem = object.__new__(simdiff.EnsembleSampling)
    fields = {field.name: getattr(LINE, field.name) for field in dataclasses.fields(LINE)}
    for name, value in (fields | arguments).items():
        object.__setattr__(problem, name, value)
    with pytest.raises(simdiff.InputError, match=message) as caught:
        problem.__post_init__()
    assert "\n" not in str(caught.value)


def test_single_precision_training_is_refused():
    with pytest.raises(simdiff.InputError, match="dtype"):
        simdiff.simulate(LINE, d=8, trials=1, dtype="float32")
