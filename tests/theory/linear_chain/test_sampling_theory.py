"""Linear sampling's theory: exact laws, closed forms, finite size to first order, and simulation."""

import dataclasses
import math

import numpy as np
import pytest

import simdiff
from simdiff.data import Gaussian, LinearManifold, PowerLaw
from simdiff.problems.linear_chain.problem import LinearSampling
from simdiff.sampling import DDPM, Exact, ProbabilityFlow, ReverseSDE
from simdiff.theory.linear_chain import learned_mean, linear_sampling, one_point, wishart_kl
from simdiff.trainers import GradientFlow, Ridge

KLS = ("kl_sampled_target", "kl_target_sampled")


@pytest.mark.parametrize("psi_n", [1.001, 1.5, 4.0, 1e4])
def test_exact_sampling_has_the_known_laws_for_every_spectrum(psi_n):
    for data in (Gaussian(), PowerLaw(1.0, 100), PowerLaw(2.0, 100), LinearManifold(1.5)):
        problem = LinearSampling(data, psi_n=psi_n)
        found, law = linear_sampling.predict(problem), wishart_kl.predict(problem)
        for name in law:
            assert found[name] == pytest.approx(law[name], rel=1e-7), (data, name)


def test_divergences_fall_as_a_quarter_of_d_over_n():
    for data in (Gaussian(), PowerLaw(1.0), Gaussian(([0.25, 4.0], [0.8, 0.2]))):
        for psi_n in (1e2, 1e3):
            found = linear_sampling.predict(LinearSampling(data, psi_n=psi_n))
            slopes = [found[name] * psi_n for name in KLS]
            expected = [0.25 * (1 + 1 / (3 * psi_n)), 0.25 * (1 + 5 / (3 * psi_n))]
            np.testing.assert_allclose(slopes, expected, rtol=3 / psi_n**2)
            assert (np.abs(np.array(slopes) - 0.24) > 0.005).all()


def test_the_term_of_order_one_over_d_is_exact():
    """Against exact finite-size means what is left falls as 1/d^2; without the term it falls as 1/d."""
    sizes, left, plain = (20, 40, 80, 160), [], []
    for d in sizes:
        at = LinearSampling(PowerLaw(1.0), psi_n=1.5).at_size(d)
        exact, found = wishart_kl.predict(at), linear_sampling.predict(at)
        limit = linear_sampling.predict(dataclasses.replace(at))
        assert found["covariance"] == pytest.approx(exact["covariance"], rel=1e-9)
        left.append([abs(found[name] - exact[name]) for name in KLS])
        plain.append([abs(limit[name] - exact[name]) for name in KLS])
    slopes, without = (np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (left, plain))
    np.testing.assert_allclose(slopes, -2.0, atol=0.1)
    np.testing.assert_allclose(without, -1.0, atol=0.1)


def moments(psi_n, size=None):
    """Traces of polynomials, of a pole left of zero, and of the projector on zero modes."""
    s, weights = np.array([0.2, 1.0, 3.0]), np.array([0.5, 0.3, 0.2])
    law = one_point.SpectralLaw(s, weights, psi_n, size)
    found = one_point.rule(law, np.stack([np.ones(3), s, 1 / s]), 0.02, 0.75, 256)

    def mean(row, g):
        return float(np.real(found.weights[row] @ g))

    z = found.nodes
    one = [mean(0, np.ones_like(z)), mean(0, z), mean(0, z**2), mean(1, z), mean(2, z)]
    return one, mean(0, 1 / (z + 0.05)), (s, weights)


@pytest.mark.parametrize("psi_n", [0.3, 1.0, 2.5])
def test_polynomials_have_their_exact_means(psi_n):
    for size in (None, 40):
        found, _, (s, weights) = moments(psi_n, size)
        beyond = weights @ s**2 / (psi_n * size) if size else 0.0  # E tr S^2 of real Gaussian data
        second = weights @ s**2 + (weights @ s) ** 2 / psi_n + beyond
        np.testing.assert_allclose(found, [1, weights @ s, second, weights @ s**2, 1], rtol=1e-11)


def test_resolvent_agrees_with_marchenko_pastur():
    for psi_n in (0.4, 1.0, 3.0):
        law = one_point.SpectralLaw(np.ones(1), np.ones(1), psi_n)
        z = np.array([0.02 + 0.01j, 1 + 0.3j, 30 + 1j, -0.5 + 1e-3j])
        q, m = 1 / psi_n, one_point.companion(law, z)
        trace = (m + (1 - q) / z) / q  # (1/d) tr (Sigma_hat - z)^-1
        np.testing.assert_allclose(q * z * trace**2 - (1 - q - z) * trace + 1, 0, atol=1e-10)
        assert (m.imag > 0).all()


SIMULATED = {
    "ridge, N < d": LinearSampling(PowerLaw(0.5), Ridge(0.05), psi_n=0.25, samples=0),
    "flow, N = d": LinearSampling(PowerLaw(1.0), GradientFlow((1.0, 30.0)), psi_n=1.0, samples=0),
    "steps, N = d / 2": LinearSampling(
        Gaussian(([0.25, 4.0], [0.8, 0.2])), Ridge(0.02), DDPM(50, 2e-3, 0.2), psi_n=0.5, samples=0
    ),
    "flow and ridge, N = 2 d": LinearSampling(
        PowerLaw(2.0), GradientFlow((10.0,), 0.01), ProbabilityFlow(40), psi_n=2.0, samples=0
    ),
    "Euler, N = 8 d": LinearSampling(
        PowerLaw(1.0), None, ReverseSDE(40, method="euler"), psi_n=8.0, samples=0
    ),
}
SIZE, TRIALS = 40, 256


@pytest.fixture(scope="module")
def simulated():
    return {name: simdiff.simulate(p, d=SIZE, trials=TRIALS, seed=4) for name, p in SIMULATED.items()}


def pulls(rows, problem, predicted):
    """Of every metric at every time."""
    found = []
    for name, values in predicted.items():
        for i, time in enumerate(problem.times or (None,)):
            trials = (rows if time is None else rows[rows["time"] == time])[name]
            wanted = np.atleast_1d(values)[i]
            found.append(abs(trials.mean() - wanted) / (trials.std() / math.sqrt(TRIALS)))
    return np.array(found)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SIMULATED)
def test_simulation_at_one_size_agrees(simulated, name):
    problem = SIMULATED[name]
    predicted = linear_sampling.predict(problem.at_size(SIZE))
    # 35 comparisons in all, of correlated metrics; what the theory leaves out is 0.1 to 0.5 standard errors.
    assert pulls(simulated[name], problem, predicted).max() < 4.0
    wrong = dataclasses.replace(problem, psi_n=1.1 * problem.psi_n).at_size(SIZE)
    assert pulls(simulated[name], problem, linear_sampling.predict(wrong)).max() > 6.0
    ridge = getattr(problem.trainer, "ridge", 0.0)
    if ridge > 0:
        trainer = dataclasses.replace(problem.trainer, ridge=1.2 * ridge)
        other = dataclasses.replace(problem, trainer=trainer).at_size(SIZE)
        assert pulls(simulated[name], problem, linear_sampling.predict(other)).max() > 6.0


def test_a_contour_around_a_zero_of_f_is_noticed():
    """F = (x + ridge) / (1 - ridge) vanishes at -ridge: farther left log F turns, and numbers are wrong."""
    problem = LinearSampling(psi_n=0.5, trainer=Ridge(0.01))
    law = learned_mean.training_law(*problem.data.spectrum(), 0.5, None, False)

    rules = linear_sampling.Rules(
        linear_sampling._rule, linear_sampling._square, linear_sampling._exact, (256,), 1e-8
    )

    def row(around):
        return linear_sampling._row(problem, law, around, rules, 256)

    right, turns = row(linear_sampling.Around(0.005, 0.75))
    assert turns == 0
    wrong, turns = row(linear_sampling.Around(0.1, 0.75))
    assert turns != 0
    assert abs(wrong["kl_target_sampled"] / right["kl_target_sampled"] - 1) > 0.1
    assert linear_sampling.predict(problem)["kl_target_sampled"] == pytest.approx(
        right["kl_target_sampled"][0]
    )


def test_unreliable_values_are_nan(monkeypatch):
    monkeypatch.setattr(linear_sampling, "COUNTS", (4, 8))
    problem = LinearSampling(PowerLaw(2.0), GradientFlow((1.0, 2.0)), psi_n=0.5)
    with pytest.warns(linear_sampling.ConvergenceWarning):
        values = linear_sampling.predict(problem)
    assert all(np.isnan(value).all() and value.shape == (2,) for value in values.values())


def test_wishart_needs_exact_sampling():
    for problem, field in (
        (LinearSampling(trainer=Ridge(0.1)), "trainer"),
        (LinearSampling(schedule=DDPM(10)), "schedule"),
        (LinearSampling(schedule=Exact(horizon=5)), "schedule"),
    ):
        with pytest.raises(simdiff.InputError, match=field):
            wishart_kl.predict(problem)
    with pytest.raises(simdiff.InputError, match="samples"):
        wishart_kl.wishart_kl(11, 10)
    with pytest.raises(simdiff.InputError, match="theory"):
        linear_sampling.predict(object())
