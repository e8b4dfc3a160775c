"""Mixtures: samples, densities and scores against SciPy and finite differences, spectra, errors in trials."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import simdiff
from simdiff.data.gaussian_mixture import GaussianMixture, directions
from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import InputError
from simdiff.problems.denoising.pairs import split_keys

THREE = GaussianMixture(
    means=((0.5, 0.1), (-0.3, 0.4), (0.0, -0.6)),
    covariances=(0.5, ((0.2, 1.5), (0.5, 0.5)), 2.0),
    weights=(0.2, 0.5, 0.3),
)


def drawn(law, d, rows, seed=0):
    sampler, inputs = law.sampler(d), jax.tree.map(jnp.asarray, law.inputs(d))
    frame, index = sampler.frame(jax.random.key(seed), inputs), jnp.arange(rows)
    key = jax.random.key(seed + 1)
    x, labels = sampler.sample(key, frame, index), sampler.labels(key, frame, index)
    return np.asarray(x, float), np.asarray(labels)


def by_hand(law, d, x, t):
    """log p of each class by SciPy, from the constructor's numbers."""
    a, h = math.exp(-t), 1 - math.exp(-2 * t)
    means = math.sqrt(d) * law.coordinates @ directions(law.coordinates.shape[1], d)
    each = []
    for k, (mean, weight) in enumerate(zip(means, law.probabilities, strict=True)):
        v = np.repeat(law.spectra[k].spectrum()[0], d // law.spectra[k].spectrum()[0].size)
        normal = stats.multivariate_normal(a * mean, np.diag(a**2 * v + h))
        each.append(math.log(weight) + normal.logpdf(x))
    return np.stack(each, -1)


@pytest.mark.parametrize("t", [0.0, 0.3, 2.0])
def test_density_and_class_probabilities_are_those_of_scipy(t):
    d = 6
    x = np.random.default_rng(0).standard_normal((5, d))
    joint = by_hand(THREE, d, x, t)
    assert np.asarray(THREE.log_density(x, t)) == pytest.approx(logsumexp(joint, -1), rel=1e-12)
    probabilities = np.exp(joint - logsumexp(joint, -1, keepdims=True))
    np.testing.assert_allclose(THREE.class_probabilities(x, t), probabilities, rtol=1e-10)
    assert not np.allclose(THREE.class_probabilities(x, t + 0.01), probabilities, rtol=1e-3)


def test_the_score_is_the_gradient_of_the_log_density():
    d, t, step = 6, 0.4, 1e-5
    x = np.random.default_rng(1).standard_normal(d)
    moves = step * np.eye(d)
    slope = (THREE.log_density(x + moves, t) - THREE.log_density(x - moves, t)) / (2 * step)
    np.testing.assert_allclose(THREE.score(x, t), slope, rtol=1e-7, atol=1e-8)


def test_two_symmetric_classes_have_the_textbook_score_also_where_densities_underflow():
    """-x/Gamma + (mu a/Gamma) tanh(a mu.x/Gamma); at d = 10^4 densities are below e^-9000."""
    d, t, c, variance = 10_000, 1.0, 1.0, 0.5
    law = GaussianMixture(c, variance)
    a, h = math.exp(-t), 1 - math.exp(-2 * t)
    gamma, mu = a**2 * variance + h, c * np.ones(d)
    for shift in (0.0, 1e-4, a):
        x = shift * mu + np.random.default_rng(2).standard_normal(d) * 1e-2
        score = -x / gamma + mu * a / gamma * math.tanh(a * (mu @ x) / gamma)
        np.testing.assert_allclose(law.score(x, t), score, rtol=1e-9)


def test_samples_have_the_classes_means_and_variances():
    d, rows = 8, 40_000
    x, labels = drawn(THREE, d, rows)
    shares = np.bincount(labels, minlength=3) / rows
    error = np.sqrt(THREE.probabilities * (1 - THREE.probabilities) / rows)
    assert (np.abs(shares - THREE.probabilities) < 4 * error).all()
    assert (np.abs(shares - (0.23, 0.47, 0.30)) > 4 * error)[:2].all()
    mixture = THREE.mixture(d)
    for k in range(3):
        mine = x[labels == k]
        width = np.sqrt(np.asarray(mixture.variances)[k] / len(mine))
        assert (np.abs(mine.mean(0) - np.asarray(mixture.means)[k]) < 4.5 * width).all()
        assert (
            np.abs(mine.var(0) / np.asarray(mixture.variances)[k] - 1) < 4.5 * math.sqrt(2 / len(mine))
        ).all()
    again, _ = drawn(THREE, d, 100)
    assert (again == x[:100]).all()


def test_a_number_is_two_classes_and_decay_shrinks_them():
    mean = np.asarray(GaussianMixture(0.7).mixture(50).means)
    np.testing.assert_allclose(mean, [[0.7] * 50, [-0.7] * 50])
    faded = np.asarray(GaussianMixture(0.7, decay=0.25).mixture(256).means)
    assert np.linalg.norm(faded[0]) == pytest.approx(0.7 * 256**0.25)
    assert GaussianMixture([0.7, -0.7]).classes == 2
    u = directions(5, 12)
    np.testing.assert_allclose(u @ u.T, np.eye(5), atol=1e-12)


def test_the_spectrum_at_a_size_is_that_of_samples_and_of_the_limit_without_what_is_between():
    d = 40
    values, weights = THREE.at_size(d).spectrum()
    mixture, p = THREE.mixture(d), THREE.probabilities
    centred = np.asarray(mixture.means) - p @ np.asarray(mixture.means)
    total = p @ np.asarray(mixture.variances).sum(1) + p @ (centred**2).sum(1)
    assert weights.sum() == pytest.approx(1)
    assert values.sum() == pytest.approx(total)
    assert values[-1] > 5 > values[-3]
    limit = np.repeat(
        *(np.array(part) for part in (THREE.spectrum()[0], np.round(d * THREE.spectrum()[1]).astype(int)))
    )
    assert np.sort(limit).mean() == pytest.approx((p @ np.asarray(mixture.variances)).mean())
    assert limit.mean() != pytest.approx(values.mean(), rel=0.1)


LINEAR = simdiff.DenoisingScoreMatching(
    data=GaussianMixture((0.8, -0.4), (1.0, 0.3), (0.25, 0.75)),
    model=simdiff.models.RandomFeatures(2.0),
    psi_n=3.0,
    t=0.4,
)


def trial(problem, d=16):
    kernel, inputs = problem.kernel(d, "float64")
    return jax.tree.map(np.asarray, jax.jit(kernel)(jax.random.key(3), jax.tree.map(jnp.asarray, inputs)))


def numpy_trial(problem, d=16):
    """The errors of the ridge minimiser on the very draws of the trial, score and classes by hand."""
    keys, (n, p), law = split_keys(jax.random.key(3)), problem.counts(d), problem.data
    a, h = math.exp(-problem.t), 1 - math.exp(-2 * problem.t)
    sampler, frame = law.sampler(d), law.mixture(d)
    w = np.asarray(normal_rows(keys.weights, jnp.arange(p), d), float)

    def pairs(samples, noise, rows):
        index = jnp.arange(rows)
        z = np.asarray(normal_rows(noise, index, d), float)
        x_t = a * np.asarray(sampler.sample(samples, frame, index), float) + math.sqrt(h) * z
        return np.tanh(x_t @ w.T / math.sqrt(d)), z, x_t

    f, z, _ = pairs(keys.samples, keys.noise, n)
    b = -np.linalg.solve(f.T @ f / n + problem.trainer.ridge * np.eye(p), f.T @ z / n).T
    f, z, x_t = pairs(keys.test_samples, keys.test_noise, 4 * d)
    k = np.asarray(sampler.labels(keys.test_samples, frame, jnp.arange(4 * d)))
    each = ((z + f @ b.T) ** 2).mean(1)
    score = np.stack([np.asarray(law.score(x, problem.t)) for x in x_t])
    found = {"test": each.mean(), "score": ((f @ b.T / math.sqrt(h) - score) ** 2).mean()}
    return found | {f"test_class_{j}": each[k == j].mean() for j in range(2)}


def test_a_trial_measures_score_and_classes_as_numpy_does():
    found, reference = trial(LINEAR), numpy_trial(LINEAR)
    for name, value in reference.items():
        assert found[name] == pytest.approx(value, rel=1e-7), name
    assert found["test_class_0"] != pytest.approx(reference["test_class_1"], rel=0.01)


@pytest.mark.heavy
def test_a_flow_that_runs_forever_has_the_errors_of_the_minimiser():
    flow = simdiff.trainers.GradientFlow(times=(1.0, 1e9), ridge=LINEAR.trainer.ridge)
    whole = trial(simdiff.DenoisingScoreMatching(LINEAR.data, LINEAR.model, flow, LINEAR.psi_n, t=LINEAR.t))
    for name, value in numpy_trial(LINEAR).items():
        assert whole[name][1] == pytest.approx(value, rel=1e-6), name
        assert whole[name][0] != pytest.approx(value, rel=1e-2), name


def test_no_theory_of_gaussian_features_is_compared():
    assert LINEAR.default_theory == "mixed_gaussians"
    with pytest.raises(InputError, match="Gaussian given the class only"):
        simdiff.predict(LINEAR, "gaussian_equivalence")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"means": "far"}, "data.means"),
        ({"means": ((1.0,), (1.0, 2.0))}, "data.means"),
        ({"covariances": -1.0}, "data.covariances"),
        ({"covariances": (1.0, 2.0, 3.0)}, "data.covariances"),
        ({"covariances": (1.0, ((1.0, 2.0), (0.5, 0.6)))}, "data.covariances"),
        ({"weights": (0.5, 0.6)}, "data.weights"),
        ({"weights": (1.0,)}, "data.weights"),
        ({"decay": -1}, "data.decay"),
    ],
)
def test_bad_classes_are_refused(arguments, field):
    with pytest.raises(InputError, match=field):
        GaussianMixture(**arguments)
