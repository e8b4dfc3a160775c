"""The law of trained weights: nodes, the sandwich at P >> F, the corrected law at P of the order of F."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import PointMasses
from simdiff.models import FourierFeatures, GaussianFeatures
from simdiff.problems.ensemble.problem import train_models
from simdiff.sampling import VariancePreserving
from simdiff.theory.ensemble import weight_law
from simdiff.theory.ensemble.effective_dynamics import v_kernel
from simdiff.theory.ensemble.training_law import training_law
from simdiff.trainers import Ridge

pytestmark = pytest.mark.heavy

SCHEDULE = VariancePreserving(t_min=1e-2)
LINE = simdiff.EnsembleSampling(PointMasses([-1.0, 0.0, 1.0]), GaussianFeatures(5, 4), SCHEDULE)
PLANE = simdiff.EnsembleSampling(
    PointMasses([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.2]]), FourierFeatures(3, 2), SCHEDULE, Ridge(0.05)
)
MODELS = 700


@functools.cache
def nodes(problem):
    return training_law(problem)


@functools.cache
def trained(problem, size):
    return np.asarray(train_models(problem, size, MODELS, seed=1)).reshape(MODELS, -1)


def deviations(law, sample):
    """Pulls of the means, and of variances with the error that the sample's fourth moments give."""
    mean, centred = sample.mean(0), sample - sample.mean(0)
    variance = np.mean(centred**2, axis=0)
    error = np.sqrt((np.mean(centred**4, axis=0) - variance**2) / len(sample))
    pull = (law.mean.ravel() - mean) / np.sqrt(variance / len(sample))
    return pull, (np.diag(law.covariance) - variance) / error, np.diag(law.covariance) / variance


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


@pytest.mark.parametrize("problem", [LINE, PLANE], ids=["1-D", "2-D"])
def test_nodes_average_over_the_training_law(problem):
    at = nodes(problem)
    level = SCHEDULE.level(at.pairs.t)
    assert at.mass.sum() == pytest.approx(1.0)
    t = np.asarray(at.pairs.t)
    np.testing.assert_allclose(at.mass @ t, 0.505, rtol=1e-4)
    times = np.geomspace(1e-2, 1.0, 20001)
    exact = SCHEDULE.level(jnp.asarray(times))
    wanted = np.trapezoid(np.asarray(exact.alpha**2 / exact.sig2), times) / 0.99
    np.testing.assert_allclose(at.mass @ np.asarray(at.pairs.weights), wanted, rtol=1e-3)
    points, masses = problem.data.arrays()
    noise = np.asarray(at.pairs.x - level.alpha[:, None] * at.pairs.y)
    np.testing.assert_allclose(at.mass @ np.asarray(at.pairs.y), masses @ points, atol=2e-3)
    wanted = at.mass @ np.asarray(level.sig2)
    np.testing.assert_allclose(at.mass @ noise**2, wanted, rtol=3e-3)


@pytest.mark.parametrize("problem", [LINE, PLANE], ids=["1-D", "2-D"])
def test_the_sandwich_holds_at_a_hundred_draws_a_feature(problem):
    size = 100 * problem.features
    law = weight_law.first_order(problem, nodes(problem), size)
    _, variance, _ = deviations(law, trained(problem, size))
    assert rms(variance) < 1.5  # neighbours' variances deviate together: measured 0.97 and 1.1
    mean, *_ = deviations(weight_law.corrected(problem, nodes(problem), size), trained(problem, size))
    assert rms(mean) < 1.5  # first order, 1.5 and 1.7: the mean shifts by the order of 1/P
    wrong = law._replace(covariance=1.2 * law.covariance)
    assert rms(deviations(wrong, trained(problem, size))[1]) > 3


@pytest.mark.parametrize(("problem", "ratio"), [(LINE, 1), (LINE, 4), (PLANE, 3)])
def test_the_corrected_law_holds_where_the_first_order_fails(problem, ratio):
    """Errors of the mean 5 to 9 times smaller, of standard deviations 3 to 30 times, between F and 4 F."""
    size = ratio * problem.features
    sample = trained(problem, size)
    first, better = (
        law(problem, nodes(problem), size) for law in (weight_law.first_order, weight_law.corrected)
    )
    wrong, right = (deviations(law, sample) for law in (first, better))
    offs = [np.linalg.norm(law.mean.ravel() - sample.mean(0)) for law in (first, better)]
    spreads = [rms(np.sqrt(found[2]) - 1) for found in (wrong, right)]
    assert offs[1] < 0.4 * offs[0]
    assert spreads[1] < 0.1
    assert spreads[0] > 1.5 * spreads[1]


def test_both_agree_and_end_in_the_limit():
    laws = [law(LINE, nodes(LINE), 10**7) for law in (weight_law.first_order, weight_law.corrected)]
    end = weight_law.limit(LINE, nodes(LINE))
    np.testing.assert_allclose(laws[1].covariance, laws[0].covariance, atol=1e-4 * laws[0].covariance.max())
    for law in laws:
        np.testing.assert_allclose(law.mean, end.mean, atol=1e-4)
        np.testing.assert_allclose([law.train, law.test], [end.train, end.test], rtol=1e-4)


def test_losses_are_those_of_trained_models():
    size = 30 * LINE.features
    rows = simdiff.simulate(dataclasses.replace(LINE, samples=0, fresh=2048), d=size, trials=256)
    law, end = weight_law.corrected(LINE, nodes(LINE), size), weight_law.limit(LINE, nodes(LINE))
    for name in ("train", "test"):
        error = rows[name].std() / 16
        assert abs(rows[name].mean() - getattr(law, name)) < 3 * error
    assert rows["test"].mean() - end.test > 3 * error


def test_averages_over_samples_are_those_of_trained_models():
    """The effective dynamics at P = 100 F; at 3 F more samples lie in gaps."""
    problem = dataclasses.replace(LINE, samples=256, fresh=16)
    size = 100 * LINE.features
    rows = simdiff.simulate(problem, d=size, trials=256)
    found = simdiff.predict(problem, d=size)
    for name in ("gap", "nearest", "spread"):
        error = np.hypot(rows[name].std() / 16, 0.002 * rows[name].mean())  # the theory's own error
        assert abs(rows[name].mean() - found[name]) < 3.5 * error
    far = simdiff.predict(problem, d=3 * LINE.features)
    assert abs(far["gap"] - rows["gap"].mean()) > 10 * rows["gap"].std() / 16


def test_the_kernel_is_the_covariance_of_the_score():
    size = 100 * PLANE.features
    law = weight_law.first_order(PLANE, nodes(PLANE), size)
    x, t = np.array([[0.2, 0.4], [-0.5, 0.1], [1.0, 1.0]]), np.array([0.05, 0.3, 0.3])
    found = v_kernel(PLANE, law, x, t)
    span = np.array([SCHEDULE.t_min, SCHEDULE.t_max])
    phi = np.asarray(PLANE.model.features(jnp.asarray(x), jnp.asarray(t), span))
    level = SCHEDULE.level(jnp.asarray(t))
    gain = np.asarray(level.alpha / level.sig2)[:, None]
    scores = np.einsum("gof,nf->gno", trained(PLANE, size).reshape(MODELS, 2, -1), phi) * gain
    flat = scores.reshape(MODELS, -1)
    scale = np.sqrt(np.outer(np.var(flat, axis=0), np.var(flat, axis=0)))
    off = (np.cov(flat.T) - found.reshape(6, 6)) / scale
    assert rms(off) < 2.0 / np.sqrt(MODELS)
    assert rms(off + np.eye(6) * 0.2) > 2.0 / np.sqrt(MODELS)
