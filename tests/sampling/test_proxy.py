"""Proxy score: against draws from the posterior, its identities, extreme arguments, bad input."""

import numpy as np
import pytest
from scipy.special import logsumexp

import simdiff
from simdiff import proxy_score
from simdiff.data import PointMasses
from simdiff.sampling.proxy import ProxyScore

# The four sets of figure 1 of arXiv 2504.12532: alpha = sqrt(1 - t), sig2 = t.
TURNS = 2 * np.pi * np.arange(6) / 6
SETS = {
    "polygon": np.stack([np.cos(TURNS), np.sin(TURNS)], 1),
    "line": np.stack([np.linspace(-1, 1, 6)] * 2, 1),
    "blend": np.array([[-1, -1], [-1, 0], [-1, 1], [0, -1], [0.5, -1], [1, -1]]),
    "random": np.array([[-1, -1], [-0.9, 1], [-0.3, 0.2], [0.1, -0.1], [0.2, -0.1], [0.9, 0.7]]),
}
TIMES = (0.05, 0.1, 0.2, 0.5, 0.75)
DRAWS = 50_000


def places(seed=0, count=50):
    rng = np.random.default_rng(seed)
    return rng.uniform(-2, 2, (count, 2)), rng.choice(TIMES, count)


def drawn(points, x, t, rng):
    """Mean and covariance of s~ over draws of x_0 given x, probabilities by brute force, and their errors."""
    logs = -np.sum((x - np.sqrt(1 - t) * points) ** 2, axis=1) / (2 * t)
    p = np.exp(logs - logs.max())
    proxy = (np.sqrt(1 - t) * points[rng.choice(len(points), DRAWS, p=p / p.sum())] - x) / t
    mean = proxy.mean(0)
    products = np.einsum("ni,nj->nij", proxy - mean, proxy - mean)
    return (
        mean,
        products.mean(0),
        proxy.std(0) / np.sqrt(DRAWS),
        products.std(0) / np.sqrt(DRAWS),
    )


def pulls(points, wrong=1.0):
    """Deviations from posterior draws over their errors, at 50 random places; 0 errors compare exactly."""
    rng = np.random.default_rng(1)
    x, t = places()
    score, covariance = map(np.asarray, proxy_score(points, x, np.sqrt(1 - t), wrong * t))
    found = []
    for i in range(len(t)):
        mean, square, error, spread = drawn(points, x[i], t[i], rng)
        floor = 1e-3 / t[i] ** 2  # of points drawn a few times only, or never, errors say nothing
        found.append((score[i] - mean) / (error + floor))
        found.append(((covariance[i] - square) / (spread + floor)).ravel())
    return np.abs(np.concatenate(found))


@pytest.mark.parametrize("name", SETS)
def test_moments_are_those_of_posterior_draws(name):
    assert pulls(SETS[name]).max() < 4.5  # 300 comparisons a set: by chance once in 120 seeds
    assert pulls(SETS[name], wrong=1.02).max() > 10


def test_the_score_is_the_gradient_and_the_covariance_the_hessian():
    points = PointMasses(SETS["random"], weights=[1, 2, 3, 4, 5, 6])
    centres, masses = points.arrays()
    alpha, sig2, h = 0.8, 0.3, 1e-5
    x = places()[0]
    got = proxy_score(points, x, alpha, sig2)

    def log_density(x):
        logs = np.log(masses) - np.sum((x[:, None] - alpha * centres) ** 2, axis=2) / (2 * sig2)
        return logsumexp(logs, axis=1)

    for i, e in enumerate(np.eye(2)):
        slope = (log_density(x + h * e) - log_density(x - h * e)) / (2 * h)
        np.testing.assert_allclose(got.score[:, i], slope, rtol=1e-6, atol=1e-8)
        bent = [proxy_score(points, x + side * h * e, alpha, sig2).score for side in (1, -1)]
        hessian = (np.asarray(bent[0]) - np.asarray(bent[1])) / (2 * h)
        np.testing.assert_allclose(got.covariance[:, i], hessian + e / sig2, rtol=1e-6, atol=1e-8)


def test_tiny_noise_and_far_places_are_safe():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((64, 2))
    for scale, sig2 in ((1.0, 1e-14), (1e8, 1e-8), (1e8, 0.5), (1e-3, 1e-300)):
        got = proxy_score(SETS["polygon"], scale * x, 1.0, sig2)
        nearest = np.argmin(((scale * x)[:, None] - SETS["polygon"]) ** 2 @ np.ones(2), axis=1)
        wanted = (SETS["polygon"][nearest] - scale * x) / sig2
        np.testing.assert_allclose(got.score, wanted, rtol=1e-6 if scale > 1e-3 else 1.0)
        assert np.all(np.isfinite(got.variance_fraction))
    # midway between two points at any noise: both equally likely, C = mu mu^T / sig2^2
    middle = proxy_score([-1.0, 1.0], np.zeros((1, 1)), 1.0, 1e-12)
    np.testing.assert_allclose(middle.covariance, 1e24, rtol=1e-12)
    assert float(middle.variance_fraction[0]) == 1.0


@pytest.mark.parametrize("centre", [0.0, 1e5, 1e8])
def test_data_far_from_the_origin_are_as_safe(centre):
    """x = centre + 0.5 + 0.3 sig2 between two points; with 2^-k for sig2 everything is a binary fraction."""
    points, sig2 = np.array([[-1.0], [0.0], [1.0]]), 2.0**-7
    x = np.array([[0.5 + 0.25 * sig2]])
    near, far = (proxy_score(points + c, x + c, 1.0, sig2) for c in (0.0, centre))
    np.testing.assert_allclose(far.score, near.score, rtol=1e-6 if centre > 1e6 else 1e-9)
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=1e-6 if centre > 1e6 else 1e-9)
    assert abs(float(near.score[0, 0])) > 5


def test_a_share_that_is_not_known_is_not_zero():
    found = proxy_score(SETS["polygon"], np.array([[np.nan, 0.0], [0.1, 0.2]]), 0.8, 0.3)
    np.testing.assert_array_equal(np.isnan(found.variance_fraction), [True, False])
    nothing = ProxyScore(np.zeros(2), np.zeros((2, 2)))
    assert nothing.variance_fraction == 0.0


@pytest.mark.parametrize(
    ("points", "x", "sig2", "message"),
    [
        ([[0.0, 1.0]], [0.0, 0.0], 1.0, "points.*two or more"),
        ([[0.0], [1.0]], [0.0, 0.0], 1.0, r"x: .*\(\.\.\., 1\)"),
        ([0.0, 1.0], [0.0], 0.0, "sig2.*> 0"),
    ],
    ids=["one point", "dimension", "no noise"],
)
def test_bad_input_is_one_clear_message(points, x, sig2, message):
    with pytest.raises(simdiff.InputError, match=message):
        proxy_score(points, np.array(x), 1.0, sig2)
