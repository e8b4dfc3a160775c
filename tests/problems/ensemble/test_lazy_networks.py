"""Lazy and wide networks in an ensemble: training against NumPy, the limit of infinite width, sampling."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import PointMasses
from simdiff.engine.random_numbers import normal_rows
from simdiff.models import GaussianFeatures, LazyNetwork, WideNetwork
from simdiff.problems.ensemble.kernel import draw_pairs
from simdiff.problems.ensemble.problem import evaluate_models, train_models
from simdiff.sampling import VariancePreserving, flow_steps
from simdiff.trainers import GradientFlow, Optax, Ridge
from simdiff.trainers.weighted_training import WeightedTraining, training_numbers

pytestmark = pytest.mark.heavy

SCHEDULE = VariancePreserving(t_min=1e-2)
SGD = Optax("sgd", learning_rate=0.25, steps=24)
LAZY = simdiff.EnsembleSampling(
    PointMasses([-1.0, 0.0, 1.0]),
    LazyNetwork("erf", target="score"),
    SCHEDULE,
    SGD,
    steps=3,
    samples=16,
    fresh=32,
)
PLANE = dataclasses.replace(
    LAZY, data=PointMasses([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), model=LazyNetwork("relu", scale=2.0)
)
SIZE, MODELS = 48, 128
X = np.tile([-1.0, -0.3, 0.4, 1.1], 2)[:, None]
T = np.repeat([0.1, 0.5], 4)
SPAN = np.array([0.01, 1.0])


def draws(problem, size, index=0):
    """The training draws of model `index` of `train_models`."""
    inputs = jax.tree.map(jnp.asarray, problem.inputs(size))
    key = jax.random.split(jax.random.fold_in(jax.random.key(0), 0), 2)[index]
    return draw_pairs(key, jnp.arange(size), SCHEDULE, inputs, (problem.model.target, problem.weight))


def q_of(trainer, s):
    x = s + trainer.ridge
    if isinstance(trainer, Ridge):
        return 1 / x
    if isinstance(trainer, GradientFlow):
        return (1 - np.exp(-trainer.times[0] * x)) / x
    return (1 - (1 - trainer.learning_rate * x) ** trainer.steps) / x


TRAINERS = {
    "ridge": Ridge(0.2),
    "flow": GradientFlow((3.0,), ridge=0.1),
    "descent": Optax("sgd", 0.02, 50, ridge=0.3),
}


@pytest.mark.parametrize(
    ("base", "name"),
    [*((LAZY, name) for name in TRAINERS), (PLANE, "ridge")],
    ids=[*TRAINERS, "2-D denoiser"],
)
def test_kernel_training_is_what_numpy_gives(base, name):
    problem = dataclasses.replace(base, trainer=TRAINERS[name])
    pairs = draws(problem, 12)
    z = problem.model.inputs(pairs.x, pairs.t, SPAN)
    root = np.sqrt(np.asarray(pairs.weights) / 12)[:, None]
    s, Q = np.linalg.eigh(root * np.asarray(problem.model.kernel(z, z)) * root.T)
    D = problem.data.dimension
    x = np.linspace(-1.2, 1.1, 5 * D).reshape(5, D)
    t = np.linspace(0.05, 0.9, 5)
    other = np.asarray(problem.model.kernel(problem.model.inputs(jnp.asarray(x), jnp.asarray(t), SPAN), z))
    wanted = other @ (root * (Q * q_of(problem.trainer, s)) @ Q.T @ (root * np.asarray(pairs.y)))
    found = evaluate_models(problem, train_models(problem, 12, 2), x, t)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", TRAINERS)
def test_features_follow_the_same_three_paths(name):
    for counts, size in (((3, 3), 20), ((5, 5), 10)):  # primal, dual
        problem = dataclasses.replace(LAZY, model=GaussianFeatures(*counts), trainer=TRAINERS[name])
        pairs = draws(problem, size)
        phi, y, weights = (
            np.asarray(part) for part in (problem.model.features(*pairs[:2], SPAN), *pairs[2:])
        )
        numbers = {key: jnp.asarray(value) for key, value in training_numbers(problem.trainer).items()}
        training = WeightedTraining(problem.trainer.weighted_kind, jnp.asarray(float(size)), **numbers)
        found = training.features(*(jnp.asarray(part) for part in (phi, y, weights)))
        s, Q = np.linalg.eigh((weights[:, None] * phi).T @ phi / size)
        wanted = (weights[:, None] * y).T @ phi / size @ (Q * q_of(problem.trainer, np.maximum(s, 0))) @ Q.T
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


def test_a_network_descends_as_written_by_hand():
    """Two steps of plain descent on half the loss, with the pull back to the start."""
    trainer = Optax("sgd", learning_rate=0.3, steps=2, ridge=0.5)
    problem = dataclasses.replace(LAZY, model=WideNetwork(7, "relu", target="score"), trainer=trainer)
    trained = train_models(problem, 9, 2)
    pairs = draws(problem, 9)
    z, share = np.asarray(problem.model.limit.inputs(pairs.x, pairs.t, SPAN)), np.asarray(pairs.weights) / 9
    a0, w0 = (np.asarray(part[0], float) for part in trained.start)
    a, w = a0.copy(), w0.copy()
    start = np.maximum(z @ w0.T, 0) @ a0.T / np.sqrt(7)
    for _ in range(2):
        h = z @ w.T
        off = share[:, None] * (np.maximum(h, 0) @ a.T / np.sqrt(7) - start - np.asarray(pairs.y))
        slope_a = off.T @ np.maximum(h, 0) / np.sqrt(7) + 0.5 * (a - a0)
        slope_w = ((off @ a) * (h > 0)).T @ z / np.sqrt(7) + 0.5 * (w - w0)
        a, w = a - 0.3 * slope_a, w - 0.3 * slope_w
    np.testing.assert_allclose(trained.now.a[0], a, atol=1e-5)  # trained in float32
    np.testing.assert_allclose(trained.now.w[0], w, atol=1e-5)


@functools.cache
def ensemble(model):
    problem = dataclasses.replace(LAZY, model=model)
    trained = train_models(problem, SIZE, MODELS, seed=1)
    return np.asarray(evaluate_models(problem, trained, X, T), float)[:, :, 0]


def chance_free(each):
    """The mean square over places of the mean over models, less what chance gives, in units of the latter."""
    raw, chance = np.mean(each.mean(0) ** 2), np.mean(each.var(0, ddof=1)) / len(each)
    return (raw - chance) / chance


def products(scores):
    off = scores - scores.mean(0)
    return off[:, :, None] * off[:, None, :]


def test_networks_approach_the_kernel_as_they_get_wider():
    """Each one like width^-1/2; means and covariances of ensembles closer than chance tells at width 512."""
    lazy = ensemble(LAZY.model)
    narrow, wide = (ensemble(WideNetwork(width, "erf", target="score")) for width in (8, 512))
    paths = [np.sqrt(np.mean((networks - lazy) ** 2)) for networks in (narrow, wide)]
    # measured for widths 8 to 512 and 128 models: -0.50 +- 0.03
    assert np.log(paths[1] / paths[0]) / np.log(64) == pytest.approx(-0.5, abs=0.1)
    assert abs(chance_free(wide - lazy)) < 2.0
    assert abs(chance_free(products(wide) - products(lazy))) < 2.0
    assert chance_free(products(narrow) - products(lazy)) > 5.0
    other = ensemble(dataclasses.replace(LAZY.model, activation="relu"))
    assert chance_free(wide - other) > 5.0
    assert paths[1] < 0.5 * np.sqrt(np.mean((wide - other) ** 2))


def test_a_trial_trains_judges_and_samples_one_model():
    """Samples in float32, the default, are those of float64, and those of Euler's method step by step."""
    kernel, inputs = LAZY.kernel(SIZE, "float64")
    inputs, key = jax.tree.map(jnp.asarray, inputs), jax.random.key(2)
    parts = [jax.random.fold_in(key, i) for i in range(3)]

    @jax.jit
    def run(key):
        fitted, pairs = kernel.train(parts[0], inputs)
        one = jax.tree.map(lambda part: part[None], fitted)
        both = (dataclasses.replace(kernel, dtype=kind) for kind in ("float64", "float32"))
        return kernel(key, inputs), fitted, pairs, *(each.generate(one, parts[2], inputs)[0] for each in both)

    found, fitted, pairs, x, single = run(key)
    assert set(found) == {metric.name for metric in LAZY.metrics}
    values = jax.jit(LAZY.model.values)
    off = np.asarray(values(fitted, pairs.x, pairs.t, SPAN) - pairs.y)
    np.testing.assert_allclose(
        found["train"], np.asarray(pairs.weights) @ np.sum(off**2, 1) / SIZE, rtol=1e-9
    )
    steps = jax.tree.map(np.asarray, flow_steps(SCHEDULE, LAZY.steps))
    z = normal_rows(jax.random.fold_in(parts[2], 0), jnp.arange(16), 1)
    place = np.sqrt(steps.level.sig2[0]) * np.asarray(z, float)
    for k in range(LAZY.steps):
        score = np.asarray(values(fitted, jnp.asarray(place), jnp.full(16, steps.t[k]), SPAN))
        place = place + steps.dt[k] * (steps.level.beta[k] * place + steps.level.D[k] * score)
    np.testing.assert_allclose(x, place, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(single, x, atol=1e-4 * np.abs(x).max())


BAD = {
    "several times": (LAZY.model, GradientFlow((1.0, 2.0)), "trainer.times.*one training time"),
    "batches": (LAZY.model, Optax("sgd", batch=4), "trainer.batch.*all draws"),
    "adaptive": (LAZY.model, Optax("adam"), "trainer.*Optax\\('sgd'\\)"),
    "a network's ridge": (WideNetwork(8), Ridge(0.1), "trainer.*any Optax"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(case):
    model, trainer, message = BAD[case]
    with pytest.raises(simdiff.InputError, match=message) as caught:
        dataclasses.replace(LAZY, model=model, trainer=trainer)
    assert "\n" not in str(caught.value)


def test_the_engine_runs_both_and_configurations_name_them():
    from simdiff.parts.build import build_problem

    config = {
        "problem": "ensemble_sampling",
        "data": {"type": "PointMasses", "points": [-1, 0, 1]},
        "model": {"type": "WideNetwork", "width": 16},
        "trainer": {"type": "Optax", "name": "adam", "steps": 3},
        "samples": 0,
    }
    problem = build_problem(config)
    rows = simdiff.simulate(problem, d=20, trials=2)
    assert np.all(rows["status"] == "ok")
    assert "16 hidden units" in problem.notes()[0]
    lazy = build_problem(
        config | {"model": {"type": "LazyNetwork"}, "trainer": {"type": "Ridge", "ridge": 0.1}}
    )
    assert lazy.default_theory == "effective_dynamics"
    assert problem.default_theory == "effective_dynamics_first_order"
    with pytest.raises(simdiff.InputError, match=r"trainer\.name.*Optax 'sgd'"):
        simdiff.predict(problem, d=20)
