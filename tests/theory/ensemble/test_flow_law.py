"""The law of weights trained for a time: divided differences, eigenfunctions of a kernel, ensembles."""

import dataclasses
import decimal
import functools
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import PointMasses
from simdiff.models import GaussianFeatures, LazyNetwork, WideNetwork
from simdiff.problems.ensemble.problem import evaluate_models, train_models
from simdiff.sampling import VariancePreserving
from simdiff.theory.ensemble import effective_dynamics, flow_law, tangent_basis, weight_law
from simdiff.theory.ensemble.effective_dynamics import ExpansionWarning, law_of, v_kernel
from simdiff.theory.ensemble.tangent_basis import InFeatures, in_features
from simdiff.theory.ensemble.training_law import training_law
from simdiff.theory.numerics.divided_differences import first_differences, second_differences
from simdiff.trainers import GradientFlow, Optax, Ridge

pytestmark = pytest.mark.heavy

LAZY = simdiff.EnsembleSampling(
    PointMasses([-1.0, 0.0, 1.0]),
    LazyNetwork("erf", target="score"),
    VariancePreserving(t_min=1e-2),
    Optax("sgd", learning_rate=0.25, steps=40),
    steps=8,
    samples=64,
    fresh=256,
)
EARLY = dataclasses.replace(
    LAZY, model=GaussianFeatures(4, 3, target="score"), trainer=GradientFlow((30.0,), 0.01)
)
SIZE, MODELS = 64, 320
X, T = np.tile([-1.2, -0.4, 0.3, 1.0], 3)[:, None], np.repeat([0.05, 0.2, 0.6], 4)
SPAN = np.array([0.01, 1.0])


@pytest.mark.parametrize("trainer", [EARLY.trainer, LAZY.trainer], ids=["flow", "descent"])
def test_divided_differences_far_apart_close_and_equal(trainer):
    """Against 60-digit arithmetic, relative to their size where points are."""
    time, step = trainer.training_times[-1], getattr(trainer, "step", 0.0)
    s = np.array([0.0, 1e-9, 0.02, 0.021, 0.5, 0.5, 1.7])
    q, soft = flow_law.filter_of(trainer), 1.0 / time + trainer.ridge
    first = first_differences(q, s, soft)
    second = [second_differences(q, s, soft, first, j) for j in range(len(s))]
    with decimal.localcontext(prec=80):
        D = decimal.Decimal
        points = [
            D(float(value)) + (i + 1) * D("1e-20") for i, value in enumerate(s)
        ]  # equal ones told apart

        def exact(x):
            x = x + D(trainer.ridge)
            decay = (-D(time) * x).exp() if step == 0.0 else (1 - D(step) * x) ** round(time / step)
            return (1 - decay) / x

        def divided(*at):
            if len(at) == 1:
                return exact(at[0])
            return (divided(*at[1:]) - divided(*at[:-1])) / (at[-1] - at[0])

        for i, j in ((0, 1), (0, 4), (2, 3), (4, 5), (6, 0)):
            assert first[i, j] == pytest.approx(float(divided(points[i], points[j])), rel=1e-9)
        for i, k, j in ((0, 1, 2), (2, 3, 4), (4, 5, 6), (0, 3, 6), (4, 6, 5)):
            wanted = float(divided(points[i], points[k], points[j]))
            assert second[j][i, k] == pytest.approx(wanted, rel=1e-8)


@functools.cache
def nodes(problem):
    return training_law(problem)


@functools.cache
def limit(problem):
    return law_of(problem)


@functools.cache
def first_order(problem):
    return law_of(problem.at_size(SIZE), weight_law.first_order)


@functools.cache
def outputs(problem):
    trained = train_models(problem, SIZE, MODELS, seed=3)
    return np.asarray(evaluate_models(problem, trained, X, T))[:, :, 0]


def mean_at(problem, law):
    phi = in_features(problem).model.features(jnp.asarray(X), jnp.asarray(T), SPAN)
    return np.asarray(phi @ law.mean[0])


def excess(each):
    """The mean square of the mean over models less what chance gives, in units of the latter."""
    raw, chance = np.mean(each.mean(0) ** 2), np.mean(each.var(0, ddof=1)) / len(each)
    return (raw - chance) / chance


TRAINED = [
    pytest.param(LAZY, id="lazy, descent", marks=pytest.mark.heavy),
    pytest.param(EARLY, id="features, flow"),
]


@pytest.mark.parametrize("problem", TRAINED)
def test_means_and_covariances_are_those_of_ensembles(problem):
    """Twins: a mean without its shift of the order of 1/P, a covariance 1.3 times larger."""
    law = first_order(problem)
    V = v_kernel(problem, law, X, T)[:, 0, :, 0]
    scores = outputs(problem)
    unit = np.sqrt(np.diag(V))
    off = (scores - scores.mean(0)) / unit
    products = off[:, :, None] * off[:, None, :] * (MODELS / (MODELS - 1))
    wanted = V / np.outer(unit, unit)
    assert abs(excess((scores - mean_at(problem, law)) / unit)) < 2.0
    assert excess((scores - mean_at(problem, limit(problem))) / unit) > 4.0
    assert abs(excess(products - wanted)) < 2.5
    assert excess(products - 1.3 * wanted) > 4.0


@pytest.mark.parametrize("problem", TRAINED)
def test_losses_are_those_of_ensembles(problem):
    rows = simdiff.simulate(dataclasses.replace(problem, samples=0), d=SIZE, trials=MODELS)
    law, end = first_order(problem), limit(problem)
    for name in ("train", "test"):
        error = rows[name].sem()
        assert abs(rows[name].mean() - getattr(law, name)) < 3.0 * error
    assert rows["test"].mean() - end.test > 3.0 * error


def test_the_truncated_basis_has_the_full_kernels_law():
    """Twice the landmarks, ten times the range of eigenvalues: V moves by less than 0.5% of its maximum."""
    coarse = first_order(LAZY)
    fine = tangent_basis.tangent_basis(LAZY, nodes(LAZY), least=1e-4)
    at = InFeatures(LAZY.at_size(SIZE), fine)
    law = flow_law.first_order(at, nodes(LAZY), SIZE)
    V, better = (v_kernel(p, one, X, T)[:, 0, :, 0] for p, one in ((LAZY, coarse), (at, law)))
    np.testing.assert_allclose(V, better, rtol=0, atol=5e-3 * np.abs(better).max())
    np.testing.assert_allclose(mean_at(LAZY, coarse), mean_at(at, law), atol=2e-3)
    z = LAZY.model.inputs(jnp.asarray(X), jnp.asarray(T), SPAN)
    phi = np.asarray(fine.features(jnp.asarray(X), jnp.asarray(T), SPAN))
    np.testing.assert_allclose(phi @ phi.T, LAZY.model.kernel(z, z), atol=0.05)
    normal = phi_average(fine)
    np.testing.assert_allclose(normal, np.diag(fine.eigenvalues), atol=1e-6 * fine.eigenvalues[0])


def phi_average(basis):
    pairs, mass = nodes(LAZY).pairs, nodes(LAZY).mass
    phi = np.asarray(basis.features(jnp.asarray(pairs.x), jnp.asarray(pairs.t), SPAN))
    return (phi * (mass * np.asarray(pairs.weights))[:, None]).T @ phi


def test_a_long_flow_with_a_ridge_has_the_law_of_the_minimum():
    """The sandwich formula, from divided differences of 1 / (s + ridge)."""
    problem = dataclasses.replace(EARLY, trainer=GradientFlow((1e5,), ridge=0.02))
    law = flow_law.first_order(problem, nodes(problem), SIZE)
    ridge = weight_law.first_order(dataclasses.replace(problem, trainer=Ridge(0.02)), nodes(problem), SIZE)
    np.testing.assert_allclose(law.covariance, ridge.covariance, atol=1e-6 * ridge.covariance.max())
    wrong = 1.01 * ridge.covariance
    assert np.abs(law.covariance - wrong).max() > 1e-3 * wrong.max()


def test_predictions_run_through_the_registry(monkeypatch):
    """For the kernel and for networks alike; what has no theory says what has."""
    monkeypatch.setattr(effective_dynamics, "MODELS", 256)
    found = simdiff.predict(LAZY, d=SIZE)
    assert set(found) == {metric.name for metric in LAZY.metrics}
    rows = simdiff.simulate(LAZY, d=SIZE, trials=64)
    for name in ("nearest", "spread"):
        assert abs(rows[name].mean() - found[name]) < 4.0 * rows[name].std() / 8
    with pytest.raises(simdiff.InputError, match="effective_dynamics_first_order"):
        simdiff.predict(LAZY, "effective_dynamics", d=SIZE)
    wide = dataclasses.replace(LAZY, model=WideNetwork(64, "erf", target="score"))
    assert in_features(wide).model.network == LAZY.model


def test_an_expansion_that_gives_a_negative_train_error_gives_nan_with_a_reason():
    problem = simdiff.EnsembleSampling(
        PointMasses([-1.0, 0.0, 1.0]),
        LazyNetwork(),
        VariancePreserving(t_min=1e-2),
        GradientFlow((1e4,)),
        samples=0,
        fresh=32,
    )
    with pytest.warns(ExpansionWarning, match="expansion in 1/P does not hold for P = 64"):
        few = simdiff.predict(problem, d=64)
    assert np.isnan([few["train"], few["test"]]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExpansionWarning)
        many = simdiff.predict(problem, d=4096)
    assert 0.0 < many["train"] < many["test"]
