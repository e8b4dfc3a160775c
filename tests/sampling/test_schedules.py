"""Schedules and what they make of an eigenvalue: closed forms, an ODE solver, orders of convergence."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simdiff
from simdiff.sampling import DDPM, Exact, ProbabilityFlow, ReverseSDE, Training, spectral_functions

X = np.array([0.03, 0.4, 1.0, 6.0])
RIDGES = (0.0, 0.3, 1.0, 1.7)


def at(schedule, ridge=0.0, times=None, x=X):
    training = Training(np.asarray(ridge, float), None if times is None else np.asarray(times, float))
    return spectral_functions(schedule.plan(), training, x)


def by_ode_solver(x, process, horizon, ridge, tau):
    """(variance, gain) of dx = (x + c s) dt' + sqrt(2 (c - 1)) dW with the score s = -phi (x - a mean)."""
    c = 2.0 if process == "reverse" else 1.0

    def rate(reversed_time, y):
        t = horizon - reversed_time
        a, h = math.exp(-t), -math.expm1(-2 * t)
        total = a * a * x + h + ridge
        phi = (1 if tau is None else -math.expm1(-tau * total)) / total
        return [2 * y[0] * (1 - c * phi) + 2 * (c - 1), y[1] * (1 - c * phi) + c * phi * a]

    end = solve_ivp(rate, [0, horizon], [1.0, 0.0], method="LSODA", rtol=1e-9, atol=1e-14)
    return end.y[:, -1]


def test_exact_sampling_without_ridge_gives_the_training_law():
    for schedule in (Exact(), Exact("flow")):
        found = at(schedule)
        np.testing.assert_allclose(found.variance[0], X, rtol=1e-14)
        np.testing.assert_allclose(found.gain[0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(at(Exact(), 0.2).variance[0], (X + 0.2) / 0.8, rtol=1e-14)


@pytest.mark.parametrize("process", ["reverse", "flow"])
@pytest.mark.parametrize("tau", [None, 0.5, 20.0])
def test_continuous_time_solves_its_equation(process, tau):
    for ridge in RIDGES:
        found = at(Exact(process, 2.5), ridge, None if tau is None else [tau])
        for i, x in enumerate(X):
            wanted = by_ode_solver(x, process, 2.5, ridge, tau)
            got = [found.variance[0, i], found.gain[0, i]]
            np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("process", ["reverse", "flow"])
def test_long_training_reaches_the_minimiser(process):
    for ridge in RIDGES:
        long = at(Exact(process, 2.5), ridge, [1e9])
        minimiser = at(Exact(process, 2.5), ridge)
        for got, wanted in zip(long, minimiser, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_spectral_functions_are_analytic():
    """Cauchy-Riemann at complex x: a derivative along the imaginary axis is i times that along the real."""
    step, x = 1e-5, X + 0.2j
    for schedule, times in ((Exact("reverse", 2.5), [2.0]), (Exact("reverse", 2.5), None), (DDPM(50), [2.0])):
        moved = [at(schedule, 0.1, times, x + shift) for shift in (step, -step, 1j * step, -1j * step)]
        for right, left, up, down in zip(*moved, strict=True):
            np.testing.assert_allclose(up - down, 1j * (right - left), rtol=1e-6, atol=1e-11)


SCHEDULES = {
    "euler SDE": (ReverseSDE(horizon=2.0, method="euler"), Exact("reverse", 2.0)),
    "exponential SDE": (ReverseSDE(horizon=2.0), Exact("reverse", 2.0)),
    "euler flow": (ProbabilityFlow(horizon=2.0, method="euler"), Exact("flow", 2.0)),
    "DDIM": (ProbabilityFlow(horizon=2.0), Exact("flow", 2.0)),
    "DDPM": (DDPM(first=1e-4, last=1e-2), Exact("reverse", 0.25 * 10.1)),
    "DDPM, posterior noise": (
        DDPM(first=1e-4, last=1e-2, variance="posterior"),
        Exact("reverse", 0.25 * 10.1),
    ),
}
STEPS = (3200, 6400, 12800)


def refined(schedule, steps):
    """As many steps over the same stretch of time: DDPM's betas are per step, 1000 of them by default."""
    if isinstance(schedule, DDPM):
        return dataclasses.replace(schedule, steps=steps, first=0.1 / steps, last=10.0 / steps)
    return dataclasses.replace(schedule, steps=steps)


def discretisation_errors(name, reference=None):
    schedule, limit = SCHEDULES[name]
    exact = at(reference or limit, 0.05)
    rough = [at(refined(schedule, steps), 0.05) for steps in STEPS]
    return np.array([[np.abs(r[k] - exact[k])[0] for k in (0, 1)] for r in rough])


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "DDIM"])
def test_error_of_steps_is_of_first_order(name):
    errors = discretisation_errors(name)
    slopes = np.polyfit(np.log(STEPS), np.log(errors.reshape(len(STEPS), -1)), 1)[0]
    # Measured: within 0.003 of -1, DDPM within 0.06 (0.16 at 400 to 1,600 steps: second-order terms).
    np.testing.assert_allclose(slopes, -1.0, atol=0.1)


def test_frozen_noise_has_an_error_of_order_log_t_over_t():
    """DDIM's variable sqrt(h)/a varies like sqrt(t): steps next to t = 0 add the logarithm. T times the
    error then grows by the same amount with every doubling of T; at first order it would not grow."""
    scaled = discretisation_errors("DDIM").reshape(len(STEPS), -1) * np.array(STEPS)[:, None]
    first, second = np.diff(scaled, axis=0)
    np.testing.assert_allclose(second / first, 1.0, atol=0.1)
    assert (np.abs(first) > 0.03 * scaled[0]).all()


def test_a_wrong_limit_is_not_approached():
    """The twin: the flow's limit is not the SDE's, and errors against it stay."""
    errors = discretisation_errors("euler SDE", Exact("flow", 2.0))[:, 0]
    assert (errors[-1] > 0.5 * errors[0]).all()


def test_ddpm_is_the_published_schedule():
    plan = DDPM(7).plan()
    beta = (1e-2 - 1e-4) / 7 * np.arange(1, 8) + 1e-4
    abar = np.cumprod(1 - beta)
    np.testing.assert_allclose(plan.a[::-1] ** 2, abar, rtol=1e-14)
    np.testing.assert_allclose(plan.h[::-1], 1 - abar, rtol=1e-11)
    np.testing.assert_allclose(plan.push[::-1], -beta / np.sqrt((1 - beta) * (1 - abar)), rtol=1e-11)
    np.testing.assert_allclose(plan.noise[::-1][1:], np.sqrt(beta)[1:])
    assert plan.noise[-1] == 0


def test_losses_average_over_the_levels():
    plan, ridge, tau = DDPM(5, 0.1, 0.3).plan(), 0.2, 3.0
    found = at(DDPM(5, 0.1, 0.3), ridge, [tau])
    total = plan.a[:, None] ** 2 * X + plan.h[:, None] + ridge
    f = np.sqrt(plan.h)[:, None] * (1 - np.exp(-tau * total)) / total
    np.testing.assert_allclose(
        found.residual[0], np.mean((1 - np.sqrt(plan.h)[:, None] * f) ** 2, 0), rtol=1e-12
    )
    np.testing.assert_allclose(found.slope[0], np.mean(plan.a[:, None] ** 2 * f**2, 0), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Exact("backward"), "schedule.process"),
        (lambda: Exact(horizon=0), "schedule.horizon"),
        (lambda: Exact(t=-1), "schedule.t"),
        (lambda: DDPM(0), "schedule.steps"),
        (lambda: DDPM(10, last=1.0), "schedule.last"),
        (lambda: DDPM(10, variance="none"), "schedule.variance"),
        (lambda: ReverseSDE(10, math.inf), "schedule.horizon"),
        (lambda: ProbabilityFlow(10, method="heun"), "schedule.method"),
    ],
)
def test_bad_values_are_named(make, field):
    with pytest.raises(simdiff.InputError, match=field):
        make()
