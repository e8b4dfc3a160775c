"""Constants mu0, mu1, v2, s2 of every built-in activation, slowly: closed forms, or rules unlike simdiff's.

notation as in docs/theory.md: u = sqrt(c) y + sqrt(h) z, tau = c + h, u' with another z.

    mu1 = E rho'(u),  v2 = E rho(u) rho(u') - mu0^2 - mu1^2 c,  s2 = E rho(u)^2 - E rho(u) rho(u') - mu1^2 h

Closed forms subtract with as many digits as it takes. tanh and softplus have none: they are analytic in a
strip, where the trapezoid rule on the whole line converges like exp(-2 pi width / step), and the squares
are added in 80-bit arithmetic. Nothing here is shared with simdiff.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

DIGITS = 100
"""The differences below lose up to 40 digits at variances of 1e-6 or 1e6."""

LONG = np.longdouble
REACH = 12
"""Standard deviations kept: beyond them lies 4e-33 of the mass."""


class Constants(NamedTuple):
    mu1: Any
    v2: Any
    s2: Any


def slow_constants(name: str, c: Any, h: Any) -> Constants:
    """The constants as mpf, at c and h given as mpf."""
    return FORMULAS[name](c, h)


def _identity(c: Any, h: Any) -> Constants:
    return Constants(mpf(1), mpf(0), mpf(0))


def _from_moments(mu0: Any, mu1: Any, same: Any, other: Any, c: Any, h: Any) -> Constants:
    """From E rho(u)^2 and E rho(u) rho(u')."""
    return Constants(mu1, other - mu0**2 - mu1**2 * c, same - other - mu1**2 * h)


def _relu(c: Any, h: Any) -> Constants:
    tau = c + h

    def kernel(r: Any) -> Any:  # Cho and Saul 2009; sqrt(1 - r^2) without the difference
        angle = mpmath.atan2(mpmath.sqrt(h * (2 * c + h)), c) if r != 1 else mpf(0)
        return tau * (mpmath.sin(angle) + (mpmath.pi - angle) * r) / (2 * mpmath.pi)

    mu0 = mpmath.sqrt(tau / (2 * mpmath.pi))
    return _from_moments(mu0, mpf(1) / 2, kernel(mpf(1)), kernel(c / tau), c, h)


def _sign(c: Any, h: Any) -> Constants:
    mu1 = mpmath.sqrt(2 / (mpmath.pi * (c + h)))
    return _from_moments(0, mu1, mpf(1), 2 / mpmath.pi * mpmath.asin(c / (c + h)), c, h)


def _erf(c: Any, h: Any) -> Constants:
    tau = c + h

    def kernel(x: Any) -> Any:  # Williams 1997
        return 2 / mpmath.pi * mpmath.asin(2 * x / (1 + 2 * tau))

    mu1 = 2 / mpmath.sqrt(mpmath.pi * (1 + 2 * tau))
    return _from_moments(0, mu1, kernel(tau), kernel(c), c, h)


def _sin(c: Any, h: Any) -> Constants:
    tau = c + h
    shrink = mpmath.exp(-tau)
    return _from_moments(0, mpmath.exp(-tau / 2), shrink * mpmath.sinh(tau), shrink * mpmath.sinh(c), c, h)


def _hard_tanh(c: Any, h: Any) -> Constants:
    """(|x + 1| - |x - 1|) / 2: averages over z are closed, those over y by Gauss rules on short panels."""
    with mpmath.workdps(40):
        return _averaged_hard_tanh(c, h)


def _averaged_hard_tanh(c: Any, h: Any) -> Constants:
    tau = c + h
    mu1 = mpmath.erf(1 / mpmath.sqrt(2 * tau))
    same = (
        tau * mu1
        - mpmath.sqrt(2 * tau / mpmath.pi) * mpmath.exp(-1 / (2 * tau))
        + mpmath.erfc(1 / mpmath.sqrt(2 * tau))
    )
    width, scale = mpmath.sqrt(h / c), mpmath.sqrt(c)

    def mean_abs(x: Any) -> Any:
        return x * mpmath.erf(x / mpmath.sqrt(2 * h)) + mpmath.sqrt(2 * h / mpmath.pi) * mpmath.exp(
            -(x**2) / (2 * h)
        )

    def square(y: Any) -> Any:
        x = scale * y
        return ((mean_abs(x + 1) - mean_abs(x - 1)) / 2 - mu1 * x) ** 2 * mpmath.npdf(y)

    marks = [sign / scale + k * width for sign in (-1, 1) for k in (-16, -8, -4, -2, 0, 2, 4, 8, 16)]
    ends = sorted({mpf(k) for k in range(-16, 17, 2)} | {mark for mark in marks if abs(mark) < 16})
    v2 = mpmath.quad(square, ends, method="gauss-legendre", maxdegree=6)
    return Constants(mu1, v2, same - mu1**2 * tau - v2)


def _by_trapezoid(fn: Callable, strip: float) -> Callable:
    """Constants of an `fn` that is analytic in |Im u| < strip, by sums of squares in 80-bit arithmetic."""

    def found(c: Any, h: Any) -> Constants:
        c, h = (LONG(mpmath.nstr(value, 25)) for value in (c, h))
        tau, root = c + h, np.sqrt(h)
        u, weight = _rule(np.sqrt(tau), strip)
        values = fn(u)
        mu0, mu1 = np.sum(weight * values), np.sum(weight * u * values) / tau
        inner, share = _rule(root, strip)
        v2 = s2 = LONG(0)
        outer, mass = _rule(np.sqrt(c), strip)
        for start in range(0, outer.size, 4096):
            x, w = outer[start : start + 4096, None], mass[start : start + 4096]
            rho = fn(x + inner)
            mean = np.sum(share * rho, axis=1)
            v2 += np.sum(w * (mean - mu0 - mu1 * x[:, 0]) ** 2)
            s2 += np.sum(w * np.sum(share * (rho - mean[:, None] - mu1 * inner) ** 2, axis=1))
        return Constants(*(mpf(np.format_float_scientific(v, 22)) for v in (mu1, v2, s2)))

    return found


def _rule(deviation: Any, strip: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights for N(0, deviation^2): steps of 0.4 deviations, and short against the strip."""
    step = min(LONG(0.4) * deviation, LONG(strip) / 7)
    count = math.ceil(float(REACH * deviation / step))
    places = step * np.arange(-count, count + 1).astype(LONG)
    weight = np.exp(-((places / deviation) ** 2) / 2)
    return places, weight / weight.sum()


def _softplus(u: np.ndarray) -> np.ndarray:
    return np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u)))


FORMULAS: dict[str, Callable] = {
    "identity": _identity,
    "relu": _relu,
    "sign": _sign,
    "erf": _erf,
    "sin": _sin,
    "hard_tanh": _hard_tanh,
    "tanh": _by_trapezoid(np.tanh, math.pi / 2),
    "softplus": _by_trapezoid(_softplus, math.pi),
}
