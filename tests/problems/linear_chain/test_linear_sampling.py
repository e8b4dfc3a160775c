"""Trials of linear sampling: against dense matrices on the same draws, exact laws, bad input."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Gaussian, HiddenManifold, LinearManifold, PowerLaw
from simdiff.engine.random_numbers import normal_rows
from simdiff.problems.linear_chain.problem import LinearSampling
from simdiff.sampling import DDPM, Exact, ProbabilityFlow, ReverseSDE
from simdiff.theory.linear_chain import wishart_kl
from simdiff.trainers import GradientFlow, Optax, Ridge

KEY = jax.random.key(11)
TAUS = (0.7, 30.0)
POINTS = {
    "flow, N < d, bias": LinearSampling(
        PowerLaw(1.0), GradientFlow(TAUS, 0.01), DDPM(5, 0.1, 0.4), psi_n=0.6, bias=True, samples=4
    ),
    "ridge, N > d": LinearSampling(
        PowerLaw(0.5), Ridge(0.1), ReverseSDE(4, 1.5, "euler"), psi_n=1.5, samples=4
    ),
    "no ridge, bias": LinearSampling(
        Gaussian(), None, ProbabilityFlow(6, 2.0), psi_n=3.0, bias=True, samples=4
    ),
}
D = 10


def filtered(matrix, tau):
    """(1 - e^{-tau M}) M^{-1} of a symmetric matrix; M^{-1} at tau = None."""
    values, vectors = np.linalg.eigh(matrix)
    kept = 1 / values if tau is None else -np.expm1(-tau * values) / values
    return (vectors * kept) @ vectors.T


def gaussian_kl(m1, c1, m2, c2):
    inverse, logs = np.linalg.inv(c2), [np.linalg.slogdet(c)[1] for c in (c1, c2)]
    return (
        0.5
        * (np.trace(inverse @ c1) + (m2 - m1) @ inverse @ (m2 - m1) - len(m1) + logs[1] - logs[0])
        / len(m1)
    )


def reference(problem, key, tau):
    """One trial with dense matrices and full covariances, none of it in an eigenbasis."""
    n = problem.count(D)
    s = problem.data.inputs(D)["eigenvalues"]
    draws = np.asarray(normal_rows(jax.random.fold_in(key, 1), jnp.arange(n), D))
    x = (draws * np.sqrt(s).astype(np.float32)).astype(float)
    mean = x.mean(0) if problem.bias else np.zeros(D)
    hat = (x - mean).T @ (x - mean) / n
    plan, ridge = problem.schedule.plan(), getattr(problem.trainer, "ridge", 0.0)
    m, c, test, train = np.zeros(D), np.eye(D), [], []
    for a, h, keep, push, noise in zip(*plan, strict=True):
        w = math.sqrt(h) * filtered(a * a * hat + (h + ridge) * np.eye(D), tau)
        b = -a * w @ mean
        step = keep * np.eye(D) + push * w
        m, c = step @ m + push * b, step @ c @ step.T + noise**2 * np.eye(D)
        for moment, losses in ((np.diag(s), test), (hat + np.outer(mean, mean), train)):
            # E |W (a x + sqrt(h) z) + b - z|^2 with the second moment and, for training data, mean of x
            centre = a * w @ (mean if losses is train else np.zeros(D))
            rest = w - np.eye(D) / math.sqrt(h)
            loss = a * a * np.trace(w @ moment @ w.T) + 2 * centre @ b + b @ b + h * np.trace(rest @ rest.T)
            losses.append(loss / D)
    target = np.diag(s)
    return {
        "kl_sampled_target": gaussian_kl(m, c, np.zeros(D), target),
        "kl_target_sampled": gaussian_kl(np.zeros(D), target, m, c),
        "test": np.mean(test),
        "train": np.mean(train),
        "covariance": np.sum((c - target) ** 2) / D,
        **({"mean": m @ m / D} if problem.bias else {}),
    }


# The complement of the dual modes is never empty in use: N < d. Without ridge F = 0 there.
CASES = [(name, dual) for name in POINTS for dual in (False, True) if not (dual and POINTS[name].singular)]


@pytest.mark.parametrize(("name", "dual"), CASES, ids=[f"{n}-{'dual' if d else 'primal'}" for n, d in CASES])
def test_a_trial_is_what_dense_matrices_give(name, dual):
    problem = POINTS[name]
    kernel, inputs = problem.kernel(D, "float64")
    if dual:  # padded rows beyond N, and fewer of them than dimensions as soon as d > 256
        kernel = dataclasses.replace(kernel, rows=max(16, problem.count(D)), dual=True)
    found = jax.jit(kernel)(KEY, jax.tree.map(jnp.asarray, inputs))
    for i, tau in enumerate(problem.times or (None,)):
        wanted = reference(problem, KEY, tau)
        got = {name: np.atleast_1d(found[name])[i] for name in wanted}
        np.testing.assert_allclose([*got.values()], [*wanted.values()], rtol=1e-6, err_msg=str(wanted))
    assert set(found) == {metric.name for metric in problem.metrics}


def rounding_of_float32(problem):
    """Root mean square error of eigenmodes in float32, in units of a trial's spread: {metric: number}."""
    quick, exact = (simdiff.simulate(problem, d=96, trials=8, dtype=dtype) for dtype in ("mixed", "float64"))
    off = {m.name: quick[m.name] - exact[m.name] for m in problem.metrics}
    return {name: np.sqrt(np.mean(error**2)) / exact[name].std() for name, error in off.items()}


@pytest.mark.parametrize(
    ("schedule", "psi_n"),
    [(Exact(), 1.05), (DDPM(50, 1e-4, 0.2), 32.0), (ReverseSDE(20, 2.0, "euler"), 32.0)],
    ids=["exact", "ddpm", "sde"],
)
def test_eigenmodes_in_float32_are_off_by_less_than_a_hundredth_of_the_spread(schedule, psi_n):
    """At the least ridge, and the least variance beside the largest, with which they are used."""
    data = Gaussian(spectrum=((0.0101, 1.0), (0.9, 0.1)))
    problem = LinearSampling(data, Ridge(0.0101), schedule, psi_n=psi_n, samples=0)
    assert problem.arithmetic() == "mixed"
    assert 0 < max(rounding_of_float32(problem).values()) < 0.01


UNSAFE = {
    "no ridge": LinearSampling(),
    "a small ridge": LinearSampling(trainer=Ridge(0.0099)),
    "fewer samples than dimensions": LinearSampling(
        trainer=Ridge(1e-4), schedule=DDPM(50, 1e-4, 0.2), psi_n=0.5, samples=0
    ),
    "an inverse of small variances": LinearSampling(PowerLaw(1.5), Ridge(5.0), DDPM(50, 1e-4, 0.2)),
    "flow": LinearSampling(trainer=GradientFlow((1.0,), 0.1)),
    "two models": LinearSampling(trainer=Ridge(0.1), splits=2),
    "a single mode": LinearSampling(simdiff.data.Spiked(3.0), Ridge(0.1)),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_they_are_in_float64_where_rounding_might_count(name):
    assert UNSAFE[name].arithmetic() == "float64"
    assert UNSAFE[name].arithmetic("mixed") == "mixed"


def test_without_that_rule_rounding_would_exceed_the_spread():
    assert rounding_of_float32(UNSAFE["fewer samples than dimensions"])["kl_target_sampled"] > 1


def test_the_comparison_would_see_a_small_difference():
    problem = POINTS["flow, N < d, bias"]
    found = reference(problem, KEY, TAUS[1])
    for change in (
        {"trainer": GradientFlow(TAUS, 0.0101)},
        {"bias": False},
        {"schedule": DDPM(5, 0.1, 0.401)},
    ):
        other = reference(dataclasses.replace(problem, **change), KEY, TAUS[1])
        assert all(abs(other[name] / found[name] - 1) > 1e-5 for name in other)


@pytest.mark.heavy
@pytest.mark.parametrize("d", [16, 64])
def test_divergences_have_the_exact_wishart_means(d):
    pulls, wrong = [], []
    for psi_n, trials in ((1.5, 256), (2.0, 256), (4.0, 128), (16.0, 64)):
        for bias in (False, True) if d == 16 else (False,):
            problem = LinearSampling(PowerLaw(1.0), psi_n=psi_n, bias=bias, samples=0)
            rows = simdiff.simulate(problem, d=d, trials=trials, seed=1)
            exact = wishart_kl.predict(problem.at_size(d))
            other = wishart_kl.wishart_kl(round(psi_n * d) + 2, d, bias)
            for name in ("kl_sampled_target", "kl_target_sampled"):
                error = rows[name].std() / math.sqrt(trials)
                pulls.append(abs(rows[name].mean() - exact[name]) / error)
                wrong.append(abs(rows[name].mean() - other[name]) / error)
    assert max(pulls) < 3.0  # 8 or 16 comparisons: by chance once in 45 or 23 seeds
    assert sum(np.array(wrong) > 4.0) >= len(wrong) // 2  # two samples more are seen


def test_samples_are_nearer_to_training_points_below_n_equal_d():
    problem = LinearSampling(psi_n=0.5, kl=False)
    rows = simdiff.simulate(problem, d=32, trials=32)
    difference = rows["nearest_fresh"] - rows["nearest_training"]
    assert difference.mean() > 10 * difference.std() / math.sqrt(32)
    rows = simdiff.simulate(dataclasses.replace(problem, psi_n=16.0), d=32, trials=32)
    away = rows["nearest_fresh"] - rows["nearest_training"]
    assert away.mean() < 0.1 * difference.mean()


def test_distances_are_to_the_nearest_point():
    """One sample of variance zero lies at its mean: both distances are then known."""
    problem = LinearSampling(psi_n=0.5, kl=False, bias=True, schedule=ProbabilityFlow(3, 1.0), samples=2)
    kernel, inputs = problem.kernel(4)
    inputs = inputs | {"plan": inputs["plan"]._replace(keep=np.zeros(3), push=np.zeros(3))}
    found = kernel(KEY, jax.tree.map(jnp.asarray, inputs))
    points = [normal_rows(jax.random.fold_in(KEY, stream), jnp.arange(2), 4) for stream in (1, 2)]
    wanted = [np.min(np.sum(np.asarray(p, float) ** 2, axis=1)) / 4 for p in points]
    np.testing.assert_allclose([found["nearest_training"], found["nearest_fresh"]], wanted, rtol=1e-6)


def test_points_share_a_compilation():
    kernels = [
        LinearSampling(data, trainer, DDPM(20), psi_n=psi_n).kernel(32, "float64")[0]
        for data, trainer, psi_n in itertools.product(
            (Gaussian(), PowerLaw(1.0)), (Ridge(0.1), Ridge(0.2)), (1.5, 2.0)
        )
    ]
    assert len(set(kernels)) == 1
    assert LinearSampling().kernel(32)[0] != LinearSampling(bias=True).kernel(32)[0]


def test_realised_carries_the_size_and_nothing_else_changes():
    problem = LinearSampling(psi_n=1.26, data=PowerLaw(1.0))
    at = problem.at_size(50)
    assert (at.size, at.psi_n, at.data.reference) == (50, 1.26, 50)
    assert problem.size is None
    assert dataclasses.replace(at).size is None
    assert at == LinearSampling(psi_n=1.26, data=PowerLaw(1.0, 50))
    assert at.digest() == dataclasses.replace(at).digest()


BAD = {
    "N < d": (
        {"psi_n": 0.5},
        r"psi_n.*KL\(target \|\| sampled\) diverges.*tr Sigma F\^-1.*KL\(sampled \|\| target\)",
    ),
    "N < d, DDPM": ({"psi_n": 0.5, "schedule": DDPM(20)}, "sampled covariance F singular"),
    "N = d": ({"psi_n": 1}, "a number > 1"),
    "singular target": ({"data": LinearManifold(0.5)}, r"KL\(sampled \|\| target\) diverges.*tr Sigma\^-1 F"),
    "zero eigenvalue": ({"data": Gaussian(([0.0, 1.0], [0.5, 0.5]))}, "target covariance is singular"),
    "not Gaussian": ({"data": HiddenManifold(0.5)}, "a Gaussian law"),
    "N = 0": ({"psi_n": 0}, "psi_n.*> 0"),
    "optax": ({"trainer": Optax()}, "trainer"),
    "schedule": ({"schedule": "ddpm"}, "schedule"),
    "no limit, flow": ({"trainer": Ridge(0.1), "schedule": Exact("flow")}, "schedule.horizon.*without bound"),
    "no limit, ridge": ({"trainer": Ridge(1.0)}, "schedule.horizon.*ridge >= 1"),
    "no limit, early": ({"trainer": GradientFlow((1.0,)), "schedule": Exact()}, "schedule.horizon"),
    "samples": ({"samples": -1}, "samples"),
    "bias": ({"bias": 1}, "bias"),
}


def construct(arguments):
    """`LinearSampling(**arguments)`, past the run-time type checks that only tests switch on."""
    defaults = {
        field.name: getattr(LinearSampling(), field.name) for field in dataclasses.fields(LinearSampling)
    }
    problem = object.__new__(LinearSampling)
    for name, value in (defaults | {"schedule": None} | arguments).items():
        object.__setattr__(problem, name, value)
    problem.__post_init__()


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(case):
    arguments, message = BAD[case]
    with pytest.raises(simdiff.InputError, match=message) as caught:
        construct(arguments)
    assert "\n" not in str(caught.value)


def test_what_keeps_divergences_finite_is_allowed():
    for arguments in (
        {"psi_n": 0.5, "trainer": Ridge(0.1)},
        {"psi_n": 0.5, "trainer": GradientFlow((1.0,))},
        {"psi_n": 0.5, "schedule": ReverseSDE(10)},
        {"psi_n": 0.5, "kl": False},
        {"data": LinearManifold(0.5), "kl": False},
    ):
        LinearSampling(**arguments)


def test_too_few_samples_at_a_size_are_refused():
    with pytest.raises(simdiff.InputError, match=r"sizes.*N = 10.*infinite"):
        simdiff.simulate(LinearSampling(psi_n=1.1), d=9, trials=1)
