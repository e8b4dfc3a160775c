"""The naive estimator: memorization without noise, and the rate at which it becomes its effective SDE."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from simdiff.data import PointMasses
from simdiff.sampling import VarianceExploding, VariancePreserving, flow_steps, naive_samples
from simdiff.sampling.naive import drawn_point
from simdiff.sampling.observables import squared_distance
from simdiff.sampling.proxy import posterior
from simdiff.theory.ensemble.naive_dynamics import effective_samples, gaussian

pytestmark = pytest.mark.heavy

LINE = PointMasses([-1.0, 0.0, 1.0])
SQUARE = PointMasses([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
GRID = np.linspace(-6.0, 6.0, 801)
NORMAL = np.polynomial.hermite_e.hermegauss(11)


@pytest.mark.parametrize("points", [LINE, SQUARE], ids=["1-D", "2-D"])
def test_without_noise_the_points_come_back(points):
    """Down to t = 1e-13 of the variance-exploding process, in 400 steps of t^(1/7)."""
    steps = flow_steps(VarianceExploding(t_min=1e-13, t_max=20.0), 400)
    x = naive_samples(points, steps, 0.0, jax.random.key(0), 256)
    distance = np.sqrt(squared_distance(x, jnp.asarray(points.arrays()[0])))
    assert np.max(distance) < 1e-11
    reached = {tuple(np.rint(row).astype(int)) for row in np.asarray(x)}
    assert reached == {tuple(int(c) for c in row) for row in points.points}
    # Noise moves samples to other points; far below their distances it has none left to act with.
    noisy = naive_samples(points, steps, 0.01, jax.random.key(0), 256)
    assert np.mean(np.abs(noisy - x).max(axis=1) > 0.5) > 0.02


def expectation(kappa, count, kind, points=LINE):
    """E cos 2x at the end, exactly but for interpolation: backwards, u <- E[u(next x) | x], on a grid."""
    steps = jax.tree.map(np.asarray, flow_steps(VariancePreserving(t_min=0.05), count))
    places, masses = points.arrays()
    u = np.cos(2 * GRID)
    for k in range(count)[::-1]:
        dt, (a, h, beta, D) = steps.dt[k], (part[k] for part in steps.level)
        logs = np.log(masses) - (GRID[:, None] - a * places[:, 0]) ** 2 / (2 * h)
        p = np.exp(logs - logs.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        mean = p @ places[:, 0]
        spread = np.sqrt(np.maximum(p @ places[:, 0] ** 2 - mean**2, 0.0))
        centre = GRID + dt * (beta * GRID + D * (a * mean - GRID) / h)
        noise = np.sqrt(kappa * dt) * D * a / h
        spline = make_interp_spline(GRID, u, k=3)
        ahead = lambda x: spline(np.clip(x, GRID[0], GRID[-1]))  # noqa: B023, E731
        if kind != "sde":
            signs = (1.0,) if kind == "naive" else (1.0, -1.0)
            each = [[ahead(centre + sign * noise * (x0 - mean)) for sign in signs] for x0 in places[:, 0]]
            u = np.sum(p.T * np.mean(each, axis=1), axis=0)
        else:
            weights = NORMAL[1] / NORMAL[1].sum()
            u = sum(w * ahead(centre + noise * spread * z) for z, w in zip(NORMAL[0], weights, strict=True))
    start = np.exp(-0.5 * GRID**2 / float(steps.level.sig2[0]))
    return start @ u / start.sum()


@pytest.mark.parametrize(("kappa", "most"), [(0.02, 0.6), (0.1, 0.6), (0.5, 1.2)])
def test_the_law_becomes_the_effective_sdes_at_the_rate_of_sqrt_dt(kappa, most):
    """Increments agree in two moments: their third makes expectations differ by sqrt(dt), their fourth by dt.

    A mirrored estimator, with either sign of the increment, tells the two apart.
    """
    counts = (400, 800)
    ends = [[expectation(kappa, n, kind) for kind in ("naive", "mirrored", "sde")] for n in counts]
    odd, even = np.log2(np.abs(np.diff(ends[0]) / np.diff(ends[1])))
    assert 0.45 < odd < most  # strong noise leaves more of the order of dt
    assert 0.8 < even < 1.1
    off = abs(ends[1][0] - ends[1][2])
    assert off < 0.005
    assert abs(ends[1][0] - expectation(1.2 * kappa, 800, "sde")) > 1.5 * off


@pytest.mark.parametrize("points", [LINE, SQUARE], ids=["1-D", "2-D"])
def test_noise_has_the_covariance_of_the_proxy_score(points):
    """One step from the same place: mean and covariance of drawn and of Gaussian noise."""
    places, weights = (jnp.asarray(part) for part in points.arrays())
    x = jnp.full((40_000, places.shape[1]), 0.3)
    known = posterior(places, weights, x, jnp.asarray(0.9), jnp.asarray(0.3))
    wanted = np.asarray(known.covariance[0])
    for noise in (drawn_point, gaussian):
        z = np.asarray(noise(jax.random.key(5), known, places))
        error = np.sqrt(2 * np.max(wanted) ** 2 / len(z))
        np.testing.assert_allclose(z.T @ z / len(z), wanted, atol=4 * error)
        assert np.all(np.abs(z.mean(0)) < 4 * np.sqrt(np.diag(wanted) / len(z)))


def test_samples_follow_the_expectations():
    steps = flow_steps(VariancePreserving(t_min=0.05), 100)
    for run, kind in ((naive_samples, "naive"), (effective_samples, "sde")):
        values = np.cos(2 * np.asarray(run(LINE, steps, 0.5, jax.random.key(2), 20_000)))
        error = values.std() / np.sqrt(values.size)
        assert abs(values.mean() - expectation(0.5, 100, kind)) < 3.5 * error
        assert abs(values.mean() - expectation(0.1, 100, kind)) > 3.5 * error
