"""Constants of activations against closed forms and an independent series."""

from __future__ import annotations

import dataclasses
import math
import types

import mpmath
import numpy as np
import pytest
from theory_points import ERF, IDENTITY, RELU, SIN, TANH, Rho

from simdiff import InputError
from simdiff.functions import activation
from simdiff.theory.numerics.quadrature import QuadratureWarning, constants

TIMES = [1e-3, 1e-2, 0.1, 1.0, 3.0]
LONG = np.longdouble  # closed forms subtract: they lose digits that the quadrature keeps


def split(t: float) -> tuple[float, float]:
    return math.exp(-2 * t), -math.expm1(-2 * t)


def moments(mu0, mu1, kernel, square, c, h):
    """v2 and s2 as the differences that define them, in extended precision."""
    return mu0, mu1, kernel - mu0**2 - mu1**2 * c, square - kernel - mu1**2 * h


def relu_closed(c, h):
    """The arc-cosine kernel of degree 1 (Cho and Saul 2009)."""
    c, h = LONG(c), LONG(h)
    tau = c + h
    r = c / tau
    kernel = tau / (2 * LONG(np.pi)) * (np.sqrt(1 - r * r) + r * (LONG(np.pi) - np.arccos(r)))
    return moments(np.sqrt(tau / (2 * LONG(np.pi))), LONG(0.5), kernel, tau / 2, c, h)


def erf_closed(c, h):
    """The arcsine kernel (Williams 1997)."""
    c, h = LONG(c), LONG(h)
    tau = c + h
    kernel, square = (2 / LONG(np.pi) * np.arcsin(2 * q / (1 + 2 * tau)) for q in (c, tau))
    return moments(LONG(0), 2 / np.sqrt(LONG(np.pi) * (1 + 2 * tau)), kernel, square, c, h)


def sign_closed(c, h):
    """Grothendieck's identity; tau = 1."""
    c, h = LONG(c), LONG(h)
    return moments(LONG(0), np.sqrt(2 / LONG(np.pi)), 2 / LONG(np.pi) * np.arcsin(c), LONG(1), c, h)


CLOSED = [(RELU, relu_closed), (ERF, erf_closed), (Rho("sign", np.sign, (0.0,)), sign_closed)]


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize(("rho", "closed"), CLOSED, ids=lambda x: getattr(x, "name", ""))
def test_constants_match_closed_forms(rho, closed, t):
    c, h = split(t)
    # The closed forms are float64 constants in long double: good to 1e-15 of the variance, which is below 2.
    np.testing.assert_allclose(constants(rho, c, h), np.array(closed(c, h), float), rtol=1e-9, atol=4e-15)


def test_an_undeclared_jump_gives_nan_with_a_reason():
    c, h = split(0.01)
    with pytest.warns(QuadratureWarning, match="kinks"):
        assert np.isnan(constants(Rho("sign", np.sign), c, h)).all()


def erf_exact(c, h):
    """The arcsine law with 60 digits: at large variance its differences lose twenty of them."""
    with mpmath.workdps(60):
        c, h = mpmath.mpf(c), mpmath.mpf(h)
        width = 1 + 2 * (c + h)
        slope = 4 / (mpmath.pi * width)
        kernel, square = (2 / mpmath.pi * mpmath.asin(2 * v / width) for v in (c, c + h))
        return [float(v) for v in (mpmath.sqrt(slope), kernel - slope * c, square - kernel - slope * h)]


@pytest.mark.parametrize("h", [2e-5, 0.18, 1.0])
@pytest.mark.parametrize("c", [1e2, 1e4, 1e6, 1e9, 1e12])
def test_a_transition_far_narrower_than_the_gaussian_is_resolved(c, h):
    np.testing.assert_allclose(constants(ERF, c, h)[1:], erf_exact(c, h), rtol=1e-9)


def test_a_transition_taken_for_a_jump_would_fail_the_comparison():
    sign = constants(Rho("sign", np.sign, (0.0,)), 1e6, 0.18)
    assert abs(sign.s2 / erf_exact(1e6, 0.18)[2] - 1.0) > 1e-2


def test_too_many_oscillations_give_nan_with_a_reason_every_time():
    for _ in range(2):
        with pytest.warns(QuadratureWarning, match="varies too often"):
            assert np.isnan(constants(Rho("sin", np.sin), 1e8, 0.18)).all()


@pytest.mark.parametrize("h", [2e-5, 0.18, 1.0])
@pytest.mark.parametrize("c", [1.0, 7.0, 1e4, 1e12])
def test_the_sine_of_simdiff_has_closed_constants_where_it_varies_too_often(c, h):
    with mpmath.workdps(60):
        shrink = mpmath.exp(-mpmath.mpf(c) - mpmath.mpf(h))
        shared = shrink * (mpmath.sinh(c) - c)
        own = shrink * (mpmath.sinh(mpmath.mpf(c) + h) - mpmath.sinh(c) - h)
        exact = [0.0, float(mpmath.sqrt(shrink)), float(shared), float(own)]
    np.testing.assert_allclose(constants(activation("sin"), c, h), exact, rtol=1e-13, atol=1e-300)


def test_the_closed_form_takes_over_where_quadrature_still_agrees():
    np.testing.assert_allclose(
        constants(activation("sin"), 1.5, 0.3), constants(SIN, 1.5, 0.3), rtol=1e-9, atol=1e-15
    )


@pytest.mark.parametrize("t", TIMES)
def test_a_linear_activation_has_no_excess(t):
    c, h = split(t)
    result = constants(Rho("affine", lambda u: 2.0 * u + 3.0), c, h)
    assert result.mu0 == pytest.approx(3.0, rel=1e-14)
    assert result.mu1 == pytest.approx(2.0, rel=1e-14)
    assert 0 <= result.v2 < 1e-28
    assert 0 <= result.s2 < 1e-28


@pytest.mark.parametrize("variance", [0.05, 1.0, 30.0])
def test_tanh_matches_its_hermite_series(variance):
    c, h = 0.4 * variance, 0.6 * variance
    x = np.linspace(-12.0, 12.0, 4001)  # the trapezoid rule is exact to rounding on Gaussians
    w = np.exp(-0.5 * x**2) / np.exp(-0.5 * x**2).sum()
    values = np.tanh(math.sqrt(variance) * x)
    coefficients, previous, current = [], np.zeros_like(x), np.ones_like(x)
    for k in range(40):
        coefficients.append(w @ (values * current))
        previous, current = current, (x * current - math.sqrt(k) * previous) / math.sqrt(k + 1)
    squares = np.array(coefficients) ** 2 * 0.4 ** np.arange(40)
    result = constants(TANH, c, h)
    np.testing.assert_allclose(result.v2, squares[2:].sum(), rtol=1e-9)
    np.testing.assert_allclose(result.mu1**2 * c, squares[1], rtol=1e-11)
    np.testing.assert_allclose(result.s2, w @ values**2 - squares.sum() - squares[1] * h / c, rtol=1e-9)


def test_variance_is_split_without_loss():
    c, h = split(0.3)
    r = constants(RELU, c, h)
    assert r.mu0**2 + r.mu1**2 + r.v2 + r.s2 == pytest.approx(0.5, rel=1e-13)


def test_no_signal_leaves_no_shared_part():
    r = constants(TANH, 0.0, 1.0)
    assert r.v2 < 1e-28
    assert r.s2 > 0.01


def test_unhashable_activations_and_the_cache_agree():
    bare = types.SimpleNamespace(fn=np.tanh)
    assert constants(bare, 0.5, 0.5) == constants(TANH, 0.5, 0.5)
    calls = []

    def counted(u):
        calls.append(u.size)
        return np.tanh(u)

    rho = Rho("counted", counted)
    constants(rho, 0.5, 0.5)
    once = len(calls)
    constants(dataclasses.replace(rho), 0.5, 0.5)
    assert len(calls) == once > 0


def test_bad_activations_are_named():
    with pytest.raises(InputError, match="not finite"):
        constants(Rho("gap", lambda u: np.where(u > 5, np.nan, u)), 0.5, 0.5)
    with pytest.raises(InputError, match="elementwise"):
        constants(Rho("mean", np.mean), 0.5, 0.5)
    with pytest.raises(InputError, match="callable"):
        constants("tanh", 0.5, 0.5)
    with pytest.raises(InputError, match="h: got 0"):
        constants(IDENTITY, 0.5, 0.0)
