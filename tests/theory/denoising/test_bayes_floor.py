"""The Bayes floor of the hidden manifold against closed forms, direct quadrature and exact limits."""

from __future__ import annotations

import dataclasses
import math
import types
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special
from theory_points import IDENTITY, RELU, TANH, Rho

from simdiff import InputError
from simdiff.theory.denoising import bayes_floor
from simdiff.theory.denoising.bayes_floor import HardPhaseWarning, fixed_points, hidden_manifold_floor
from simdiff.theory.denoising.state_evolution import channel
from simdiff.theory.numerics.quadrature import QuadratureWarning, constants

SIGN = Rho("sign", np.sign, (0.0,))
WAVE = Rho("wave", lambda u: np.sin(3.0 * u))  # folds u several times: hard to invert


def noise_over_signal(t: float) -> float:
    """eps^2 = h / a^2."""
    return math.expm1(2.0 * t)


def linear_floor(slope2: float, excess: float, psi_D: float, t: float) -> float:
    """1 - (h/d) tr (a^2 Sigma + h)^-1 for Sigma = slope2 M M^T / D + excess, by the Marchenko-Pastur law.

    m = (1/d) tr (M M^T / D + z)^-1 solves z m + m / (1 + m / psi_D) = 1.
    """
    eps2 = noise_over_signal(t)
    z, c = (excess + eps2) / slope2, 1.0 / psi_D
    b = z + 1.0 - c
    root = math.sqrt(b * b + 4.0 * c * z)
    m = 2.0 / (b + root) if b > 0 else (root - b) / (2.0 * c * z)
    return 1.0 - eps2 * m / slope2


def direct(rho: Rho, q: float, t: float) -> tuple[float, float, float]:
    """I(q), floor and Psi(q) = E log P(y | p) as they are defined, on even grids in p, y and u."""
    eps, v = math.sqrt(noise_over_signal(t)), 1.0 - q
    w = np.linspace(-7.0, 7.0, 1001)
    prior = np.exp(-0.5 * w * w) / np.exp(-0.5 * w * w).sum()
    sums = np.zeros(3)
    x = np.linspace(-6.5, 6.5, 105)
    for p, share in zip(math.sqrt(q) * x, np.exp(-0.5 * x * x) / np.exp(-0.5 * x * x).sum(), strict=True):
        u = p + math.sqrt(v) * w
        sigma = rho.fn(u)
        y = np.arange(sigma.min() - 7.0 * eps, sigma.max() + 7.0 * eps, 0.25 * eps)
        joint = prior * np.exp(-0.5 * ((y[:, None] - sigma) / eps) ** 2) / math.sqrt(2.0 * math.pi) / eps
        density = joint.sum(axis=1)
        mean, out, square = (joint @ f / density for f in (u, sigma, sigma**2))
        terms = ((mean - p) / v) ** 2, (square - out**2) / eps**2, np.log(density)
        sums += share * 0.25 * eps * np.array([density @ term for term in terms])
    return tuple(sums)


@pytest.mark.parametrize("t", [0.01, 0.1, 1.0])
def test_a_linear_manifold_has_the_closed_form(t):
    for psi in (0.02, 0.1, 0.5, 1.0, 3.0, 20.0):
        assert hidden_manifold_floor(IDENTITY, psi, t) == pytest.approx(
            linear_floor(1.0, 0.0, psi, t), rel=1e-6
        )


def test_a_slightly_wrong_count_of_outputs_fails_that_comparison():
    exact = linear_floor(1.0, 0.0, 0.5, 0.1)
    assert abs(hidden_manifold_floor(IDENTITY, 0.5 * 1.02, 0.1) / exact - 1.0) > 5e-3


@pytest.mark.parametrize(("rho", "q", "t"), [(TANH, 0.6, 0.1), (RELU, 0.3, 0.3), (WAVE, 0.8, 0.5)])
def test_integrals_match_direct_quadrature(rho, q, t):
    explained, floor = channel(rho, t)(1.0 - q)
    information, expected, _ = direct(rho, q, t)
    # the even grids of `direct` step over the kink of relu: 1e-5 there, rounding elsewhere
    assert explained == pytest.approx((1.0 - q) * information, rel=3e-5 if rho.kinks else 1e-8)
    assert floor == pytest.approx(expected, rel=3e-5 if rho.kinks else 1e-8)
    assert channel(rho, t)(1.0 - 1.001 * q)[1] != pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("v", [0.9, 0.1, 1e-3, 1e-5])
def test_a_noiseless_sign_is_the_perceptron(v):
    def integrand(x):
        density = math.exp(-0.5 * v / (1.0 - v) * x * x) * math.sqrt(v / (2.0 * math.pi * (1.0 - v)))
        return density * math.exp(-x * x - special.log_ndtr(x) - special.log_ndtr(-x)) / (2.0 * math.pi)

    exact = integrate.quad(integrand, -30.0, 30.0, epsabs=0.0, epsrel=1e-12, limit=500)[0]
    explained, floor = channel(SIGN, 1e-3)(v)  # sqrt(h)/a = 0.045, steps of 2: no output is misread
    assert explained == pytest.approx(exact, rel=1e-7)
    assert abs(floor) < 1e-12


def test_free_entropy_decides_between_two_fixed_points():
    """sin(3 u) at t = 0.3: maxima and their order on both sides of the transition, by direct quadrature."""
    curves = bayes_floor._curves(WAVE, 0.3, 50.0)

    def entropy(q, alpha):
        return alpha * direct(WAVE, q, 0.3)[2] + 0.5 * (q + math.log1p(-q))

    low, high = (fixed_points(curves, 1.0 / psi) for psi in (0.12, 0.15))
    assert low[1].overlap < 0.01 < 0.9 < low[0].overlap
    assert high[0] == high[1]
    assert entropy(low[0].overlap, 1.0 / 0.12) > entropy(low[1].overlap, 1.0 / 0.12)
    informed = 0.95  # near the maximum that has lost
    assert entropy(high[0].overlap, 1.0 / 0.15) > entropy(informed, 1.0 / 0.15)
    information = direct(WAVE, 0.5, 0.3)[0]
    slope = (entropy(0.505, 8.0) - entropy(0.495, 8.0)) / 0.01
    assert slope == pytest.approx(0.5 * (8.0 * information - 1.0), rel=1e-3)
    assert slope != pytest.approx(0.5 * (8.0 * 1.02 * information - 1.0), rel=5e-3)


def test_the_hard_phase_is_announced_with_both_floors():
    with pytest.warns(HardPhaseWarning, match=r"floor is 0\.13.*stops at 0\.371"):
        floor = hidden_manifold_floor(WAVE, 0.12, 0.3)
    assert 0.12 < floor < 0.14
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hidden_manifold_floor(WAVE, 0.15, 0.3) > 0.37


def test_even_functions_carry_nothing_until_weak_recovery():
    """q = 0 is stable until alpha I'(0) = 1; I'(0) is the integral of (E (g^2 - 1) P(y|g))^2 / E P(y|g)."""
    square, t = Rho("square", lambda u: u * u), 0.5
    eps = math.sqrt(noise_over_signal(t))
    g, y = np.linspace(-7.0, 7.0, 1001), np.linspace(-12.0, 60.0, 1001)
    joint = np.exp(-0.5 * g * g) * np.exp(-0.5 * ((y[:, None] - g * g) / eps) ** 2)
    joint /= joint.sum()
    threshold = float(np.sum((joint @ (g * g - 1.0)) ** 2 / joint.sum(axis=1)))  # in psi_D
    flat = hidden_manifold_floor(square, 50.0, t)
    assert hidden_manifold_floor(square, 1.01 * threshold, t) == pytest.approx(flat, rel=1e-9)
    assert 1e-6 < 1.0 - hidden_manifold_floor(square, 0.98 * threshold, t) / flat < 1e-2


def test_limits_of_many_and_few_latent_dimensions():
    independent = direct(TANH, 0.0, 0.1)[1]
    assert hidden_manifold_floor(TANH, 1e5, 0.1) == pytest.approx(independent, rel=1e-4)
    assert abs(hidden_manifold_floor(TANH, 20.0, 0.1) / independent - 1.0) > 1e-2
    # a manifold of dimension D leaves D of the d directions of noise unknown
    assert hidden_manifold_floor(TANH, 1e-3, 0.1) == pytest.approx(1e-3, rel=1e-2)


def test_floors_rise_with_dimension_and_gaussian_data_are_worst():
    psis, nu = np.geomspace(0.02, 20.0, 120), constants(TANH, 0.5, 0.5)
    for t in (0.01, 0.1):
        floors = np.array([hidden_manifold_floor(TANH, psi, t) for psi in psis])
        gaussian = np.array([linear_floor(nu.mu1**2, nu.v2 + nu.s2, psi, t) for psi in psis])
        assert (np.diff(floors) > 0).all()
        assert (floors < gaussian * (1.0 - 1e-4)).all()


def test_adding_a_constant_and_using_jax_change_nothing():
    base = hidden_manifold_floor(TANH, 0.7, 0.1)
    assert hidden_manifold_floor(Rho("shifted", lambda u: np.tanh(u) + 5.0), 0.7, 0.1) == pytest.approx(
        base, rel=1e-8
    )
    assert hidden_manifold_floor(types.SimpleNamespace(fn=jnp.tanh), 0.7, 0.1) == pytest.approx(
        base, rel=1e-9
    )


def test_further_dimensions_reuse_the_curves():
    calls = []

    def counted(u):
        calls.append(u.size)
        return np.tanh(u)

    rho = Rho("counted", counted)
    hidden_manifold_floor(rho, 0.5, 1.0)
    once = len(calls)
    for psi in np.geomspace(0.03, 10.0, 20):
        hidden_manifold_floor(dataclasses.replace(rho), float(psi), 1.0)
    assert len(calls) == once > 0


def test_a_kink_without_a_name_gives_nan_with_a_reason_every_time():
    bent = Rho("bent", lambda u: np.maximum(u - 0.3, 0.0))
    for _ in range(2):
        with pytest.warns(QuadratureWarning, match=r"bent.*known to \de-0[56].*nan.*kinks"):
            assert math.isnan(hidden_manifold_floor(bent, 0.3, 0.3))
    assert 0.0 < hidden_manifold_floor(dataclasses.replace(bent, kinks=(0.3,)), 0.3, 0.3) < 1.0


def test_bad_input_is_named():
    for psi in (0.0, -1.0, math.nan, "many"):
        with pytest.raises(InputError, match="psi_D"):
            hidden_manifold_floor(TANH, psi, 0.1)
    for t in (0.0, -1.0, math.inf):
        with pytest.raises(InputError, match="t: got"):
            hidden_manifold_floor(TANH, 1.0, t)
    for fn, text in (
        (lambda u: np.where(u > 5, np.nan, u), "not finite"),
        (np.mean, "elementwise"),
        (np.ones_like, "constant"),
    ):
        with pytest.raises(InputError, match=text):
            hidden_manifold_floor(Rho("bad", fn), 1.0, 0.1)
    with pytest.raises(InputError, match="callable"):
        hidden_manifold_floor("tanh", 1.0, 0.1)
