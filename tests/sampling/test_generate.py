"""Real chains of denoisers, with dense matrices, against the scalar recursion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma

from simdiff.sampling import DDPM, ProbabilityFlow, Training, generate, spectral_functions

D, POINTS, COUNT, BATCHES = 6, 9, 30_000, 30
RIDGE = 0.02
SCHEDULES = {"DDPM": DDPM(30, 2e-3, 0.3), "flow": ProbabilityFlow(30, 2.5)}


def training_set():
    rng = np.random.default_rng(5)
    s = np.linspace(0.3, 2.0, D)
    x = rng.standard_normal((POINTS, D)) * np.sqrt(s) + 0.4
    return x, s


def chain(schedule):
    """W (T, d, d) and b (T, d) of every level, by solving the normal equations of its loss."""
    x, _ = training_set()
    centred = x - x.mean(0)
    plan, covariance = schedule.plan(), centred.T @ centred / POINTS
    w = [
        np.sqrt(h) * np.linalg.inv(a**2 * covariance + (h + RIDGE) * np.eye(D))
        for a, h in zip(plan.a, plan.h, strict=True)
    ]
    b = [-a * m @ x.mean(0) for a, m in zip(plan.a, w, strict=True)]
    return jnp.array(w), jnp.array(b)


def run(schedule, count=COUNT, batch=8192, seed=1):
    w, b = chain(schedule)

    def draw(key):
        return generate(lambda k, x: x @ w[k].T + b[k], schedule.plan(), key, count, D, batch=batch)

    return np.asarray(jax.jit(draw)(jax.random.key(seed)))


def recursion(schedule):
    """Mean and covariance of the sampled law from the eigenvalues of Sigma_hat."""
    x, _ = training_set()
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    found = spectral_functions(schedule.plan(), Training(np.array(RIDGE)), values)
    gain, variance = np.asarray(found.gain[0]), np.asarray(found.variance[0])
    return (vectors * gain) @ vectors.T @ x.mean(0), (vectors * variance) @ vectors.T


def pull(samples, mean, covariance):
    """Largest deviation of the samples' moments from a Gaussian's, in standard errors."""
    n = len(samples)
    variances = np.diag(covariance)
    means = (samples.mean(0) - mean) / np.sqrt(variances / n)
    spread = (samples - mean).T @ (samples - mean) / n - covariance
    error = np.sqrt((np.outer(variances, variances) + covariance**2) / n)
    return max(np.abs(means).max(), np.abs(spread / error).max())


@pytest.mark.parametrize("name", SCHEDULES)
def test_moments_of_samples_are_those_of_the_recursion(name):
    samples, (mean, covariance) = run(SCHEDULES[name]), recursion(SCHEDULES[name])
    assert pull(samples, mean, covariance) < 4.0  # 27 moments: by chance once in 600 seeds
    assert pull(samples, mean, 1.05 * covariance) > 5.0
    assert pull(samples, mean + 0.03, covariance) > 4.0
    other = recursion(SCHEDULES["flow" if name == "DDPM" else "DDPM"])
    assert pull(samples, *other) > 6.0


def divergence(covariance, mean, s):
    """KL(N(mean, covariance) || N(0, diag(s))) per dimension."""
    log = np.linalg.slogdet(covariance)[1] - np.log(s).sum()
    return 0.5 * (np.diag(covariance) @ (1 / s) - D - log + mean**2 @ (1 / s)) / D


def test_divergence_estimated_from_samples():
    """Batches of samples give unbiased estimates, for the mean of log det and of mean^2 is known exactly."""
    _, s = training_set()
    mean, covariance = recursion(SCHEDULES["DDPM"])
    estimates = []
    for batch in run(SCHEDULES["DDPM"]).reshape(BATCHES, -1, D):
        n = len(batch)
        bias = np.sum(digamma(0.5 * (n - 1 - np.arange(D)))) + D * np.log(2 / (n - 1))
        scatter = np.cov(batch.T)
        excess = np.diag(scatter) @ (1 / s) / n
        estimates.append(divergence(scatter, batch.mean(0), s) + 0.5 * (bias - excess) / D)
    estimate, error = np.mean(estimates), np.std(estimates, ddof=1) / np.sqrt(BATCHES)
    assert abs(estimate - divergence(covariance, mean, s)) < 3 * error
    assert error < 0.01 * estimate
    assert abs(estimate - divergence(1.1 * covariance, mean, s)) > 6 * error


def test_samples_do_not_depend_on_batches():
    whole = run(SCHEDULES["DDPM"], count=50, batch=64)
    np.testing.assert_allclose(run(SCHEDULES["DDPM"], count=50, batch=16), whole, rtol=1e-12)
    np.testing.assert_allclose(run(SCHEDULES["DDPM"], count=20, batch=64), whole[:20], rtol=1e-12)
    assert np.abs(run(SCHEDULES["DDPM"], count=50, batch=64, seed=2) - whole).max() > 0.1
