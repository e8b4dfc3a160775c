"""The theory of linear denoisers: against two other theories where they meet, and against simulation."""

import math
import types

import numpy as np
import pytest
from finite_flow import GradientFlow
from theory_points import IDENTITY, METRICS, make

from simdiff.errors import InputError
from simdiff.theory.denoising import gaussian_equivalence
from simdiff.theory.linear_chain.one_point import SpectralLaw, rule
from simdiff.theory.linear_denoiser import fixed_point, linear_denoiser

THREE = ([0.0, 0.3, 2.5], [0.3, 0.3, 0.4])
TIMES = (0.1, 1.0, 10.0, 100.0, 1e6)


class Linear:
    """A model as theory sees it."""

    theory = "linear_denoiser"


def linear(psi_n, m, t, ridge, spectrum=THREE, times=None, step=0.0):
    """A linear denoiser: the exact minimiser, or with `times` training in time."""
    problem = make(psi_n, 1.0, m, t, ridge, IDENTITY, spectrum)
    problem.model, problem.times = Linear(), times
    if times is not None:
        problem.trainer = GradientFlow(times, ridge, step)
    return problem


def predicted(*point, **more):
    found = linear_denoiser.predict(linear(*point, **more))
    return np.array([found[name] for name in METRICS])


POINTS = [
    (2.0, 4, 0.1, 1e-3),
    (0.5, 1, 0.3, 1e-2),
    (0.5, 2, 0.3, 1e-6),
    (0.3, math.inf, 0.1, 1e-4),
    (3.0, 1, 1.0, 1.0),
]


def test_it_is_the_limit_of_many_random_features():
    """Of the identity, where their ridge is psi_p times the denoiser's."""

    def features(psi_p):
        problems = [make(n, psi_p, m, t, psi_p * r, IDENTITY, THREE) for n, m, t, r in POINTS]
        found = gaussian_equivalence.predict_many(problems)
        return np.array([[row[name] for name in METRICS] for row in found])

    limit = np.array([predicted(*point) for point in POINTS])
    np.testing.assert_allclose(limit, features(1e20), rtol=1e-12)
    assert (np.abs(limit / features(30.0) - 1).max(axis=1) > 3e-5).all()


@pytest.mark.parametrize(("ridge", "step"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.05)])
def test_infinitely_many_draws_are_a_functional_of_the_sample_covariance(ridge, step):
    psi_n, t = 0.7, 0.2
    a2, h = math.exp(-2 * t), -math.expm1(-2 * t)
    found = predicted(psi_n, math.inf, t, ridge, times=TIMES, step=step)
    s, weights = (np.array(part) for part in THREE)

    def functional(psi_n):
        """Test and train error of W = sqrt(h) (1 - decay) / C, C = a^2 Sigma_hat + h + ridge."""
        around = rule(
            SpectralLaw(s, weights, psi_n), np.stack([np.ones(3), s]), 0.5 * (h + ridge) / a2, 0.75, 256
        )
        level = a2 * around.nodes + h + ridge
        spent = np.outer(TIMES, level) if step == 0 else np.outer(TIMES, -np.log1p(-step * level) / step)
        w = math.sqrt(h) * -np.expm1(-spent) / level
        one, sigma = around.weights
        noise = np.real((1 - math.sqrt(h) * w) ** 2 @ one)
        return noise + a2 * np.real(w**2 @ sigma), noise + a2 * np.real(w**2 * around.nodes @ one)

    np.testing.assert_allclose(found[:2], functional(psi_n), rtol=1e-9)
    assert np.abs(found[:2] / functional(1.01 * psi_n) - 1).max() > 1e-3
    np.testing.assert_allclose(found[3], found[1], rtol=1e-9)  # memorization is train


@pytest.mark.parametrize("point", POINTS)
def test_training_starts_at_zero_and_ends_at_the_minimiser(point):
    found, exact = predicted(*point, times=(1e-7, 1e9)), predicted(*point)
    np.testing.assert_allclose(found[:, 1], exact, rtol=1e-8)
    np.testing.assert_allclose(found[[0, 1, 3, 4], 0], 1.0, atol=1e-6)


def test_descent_in_short_steps_is_flow():
    point, times = (1.5, 2, 0.3, 1e-2), (0.4, 4.0, 40.0)
    flow = predicted(*point, times=times)
    gaps = [np.abs(predicted(*point, times=times, step=step) - flow).max() for step in (0.02, 0.01)]
    assert 1.8 < gaps[0] / gaps[1] < 2.2


def test_the_norm_is_the_slope_of_the_objective():
    """d objective / d ridge = |B|^2 / d = (objective - train) / ridge, at points chosen to be hard."""
    rng = np.random.default_rng(4)
    spectra = [THREE, ([1.0], [1.0]), ([1e-6, 100.0], [0.99, 0.01])]
    points = []
    for k in range(60):
        psi_n, m = math.exp(rng.uniform(-4, 4)), (1, 2, 7, math.inf)[rng.integers(4)]
        psi_n = 1 / m if k % 5 == 0 and m < math.inf else psi_n  # n m = d
        points.append((psi_n, m, math.exp(rng.uniform(-6, 1)), 10 ** rng.uniform(-8, 3), spectra[k % 3]))
    moved = {
        shift: linear_denoiser.predict_many(
            [linear(n, m, t, ridge * math.exp(shift), s) for n, m, t, ridge, s in points]
        )
        for shift in (-1e-4, 0.0, 1e-4)
    }
    for low, here, high in zip(*moved.values(), strict=True):
        assert min(here.values()) > 0
        slope = (high["objective"] - low["objective"]) / 2e-4
        assert slope == pytest.approx(here["objective"] - here["train"], rel=1e-6, abs=1e-9)


SIMULATED = {
    "one draw, n m < d": linear(0.5, 1, 0.2, 1e-2, ([0.2, 2.0], [0.6, 0.4]), (0.5, 4.0, 50.0)),
    "three draws, flat directions": linear(0.8, 3, 0.1, 0.0, ([0.0, 2.5], [0.6, 0.4]), (0.5, 4.0, 50.0)),
    "infinitely many draws": linear(1.5, math.inf, 0.3, 1e-2, ([0.2, 2.0], [0.6, 0.4]), (0.5, 4.0, 50.0)),
}
SIZES, TRIALS = (20, 40), (200, 100)


def trial(problem, d, rng):
    """Five errors in time of one training run, (metric, time): fresh averages are taken exactly."""
    a, h, ridge = math.exp(-problem.t), -math.expm1(-2 * problem.t), problem.trainer.ridge
    values, shares = problem.data.spectrum()
    s, n = np.repeat(values, np.round(shares * d).astype(int)), round(problem.psi_n * d)
    x = rng.standard_normal((n, d)) * np.sqrt(s)
    hat = x.T @ x / n
    if math.isinf(problem.m):
        u, v, zz = a * a * hat + h * np.eye(d), math.sqrt(h) * np.eye(d), 1.0
    else:
        z = rng.standard_normal((n * problem.m, d))
        f = a * np.repeat(x, problem.m, 0) + math.sqrt(h) * z
        u, v, zz = f.T @ f / len(f), f.T @ z / len(f), np.mean(z**2)
    x_, q = np.linalg.eigh(u)
    rows = []
    for tau in problem.times:
        rate = np.maximum(x_, 0.0) + ridge
        phi = np.where(rate > 1e-12, -np.expm1(-tau * rate) / np.maximum(rate, 1e-12), tau)
        b = -v.T @ (q * phi) @ q.T
        noise = np.sum((np.eye(d) + math.sqrt(h) * b) ** 2)
        test = (noise + a * a * np.sum(b * b * s)) / d
        train = zz + (2 * np.sum(b * v.T) + np.sum((b @ u) * b)) / d
        floor = np.mean(a * a * s / (a * a * s + h))
        memorization = (noise + a * a * np.sum((b @ hat) * b)) / d
        rows.append([test, train, (test - floor) / h, memorization, train + ridge * np.sum(b * b) / d])
    return np.array(rows).T


@pytest.fixture(scope="module")
def simulated():
    """Estimates at d = infinity from two sizes, the difference linear in 1/d, and standard errors."""
    found = {}
    for name, problem in SIMULATED.items():
        means, errors = [], []
        for d, count in zip(SIZES, TRIALS, strict=True):
            rng = np.random.default_rng([d, len(name)])
            runs = np.array([trial(problem, d, rng) for _ in range(count)])
            means.append(runs.mean(axis=0))
            errors.append(runs.std(axis=0, ddof=1) / math.sqrt(count))
        found[name] = 2 * means[1] - means[0], np.hypot(2 * errors[1], errors[0])
    return found


def pulls(simulated, name, **changes):
    problem = types.SimpleNamespace(**vars(SIMULATED[name]) | changes)
    found = linear_denoiser.predict(problem)
    estimate, error = simulated[name]
    return np.abs(np.array([found[metric] for metric in METRICS]) - estimate) / error


@pytest.mark.parametrize("name", SIMULATED)
def test_simulation_agrees(simulated, name):
    # 45 comparisons in all, many of them correlated: chance exceeds 4 once in 300 choices of seeds.
    assert pulls(simulated, name).max() < 4.0
    assert (simulated[name][1] < 0.03 * np.abs(simulated[name][0]) + 0.003).all()


@pytest.mark.parametrize("name", SIMULATED)
def test_simulation_rejects_a_theory_that_is_slightly_wrong(simulated, name):
    problem = SIMULATED[name]
    wrong = [{"psi_n": 1.15 * problem.psi_n}, {"t": 1.1 * problem.t}]
    wrong += [{"m": problem.m + 1}] if problem.m < math.inf else [{"m": 20}]
    for change in wrong:
        assert pulls(simulated, name, **change).max() > 6.0, change


def test_the_longest_step_is_known():
    with pytest.raises(InputError, match=r"trainer\.step.*< 0\.49") as caught:
        predicted(1.5, 2, 0.3, 1e-2, times=(9.0,), step=0.9)
    limit = float(str(caught.value).split("< ")[1].split()[0])
    assert np.isfinite(predicted(1.5, 2, 0.3, 1e-2, times=(100 * 0.98 * limit,), step=0.98 * limit)).all()


def without(name):
    problem = linear(2.0, 1, 0.1, 1e-3)
    setattr(problem, name, types.SimpleNamespace())
    return problem


@pytest.mark.parametrize(
    ("problem", "field"),
    [
        (make(2.0, 1.0, 1, 0.1, 1e-3), "model"),
        (without("data"), "data"),
        (without("trainer"), "trainer"),
        (linear(0.0, 1, 0.1, 1e-3), "psi_n"),
        (linear(2.0, 0.5, 0.1, 1e-3), "m"),
        (linear(2.0, 1, 0.0, 1e-3), "t"),
        (linear(2.0, 1, 0.1, 0.0), "trainer.ridge"),
        (linear(2.0, 1, 0.1, 0.0, times=(2.0, 1.0)), "trainer.times"),
        (linear(2.0, 1, 0.1, 0.0, times=(0.15,), step=0.1), "trainer.times"),
    ],
)
def test_bad_input_names_the_field(problem, field):
    with pytest.raises(InputError) as caught:
        linear_denoiser.predict(problem)
    assert caught.value.field == field


def test_no_number_is_given_that_was_not_found(monkeypatch):
    monkeypatch.setattr(fixed_point, "MOST_STEPS", 1)
    with pytest.warns(gaussian_equivalence.ConvergenceWarning, match=r"psi_n=0\.5, m=2"):
        assert np.isnan(predicted(0.5, 2, 0.3, 1e-6)).all()
