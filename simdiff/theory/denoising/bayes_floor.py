"""The Bayes floor of denoising score matching on a nonlinear manifold, x = sigma(M xi / sqrt D).

The least test error of any function of x_t = a x + sqrt(h) z is the mean of Var(z | x_t) per dimension.
Given M, that is inference on xi in a generalized linear model: D Gaussian inputs, alpha D outputs, each
seen through one scalar channel (`state_evolution`). One number, the overlap q, then says how much is
known of xi, and the channel alone says how much an output tells at q. So two curves are tabulated
once over log V, and any alpha is a root on them.

notation:
    alpha = 1 / psi_D,  V = 1 - q,  s = log V between log V_least and 0
    I(q) = E ((E[u | y, p] - p) / V)^2           information of one output; nondecreasing in q
    e(V) = V I(q)                                share of Var u that its output explains
    f(q) = alpha Psi(q) + (q + log(1 - q)) / 2   free entropy per input; Psi'(q) = I(q) / 2, hence
    f'(q) = (alpha I(q) - q / (1 - q)) / 2       = 0 exactly where alpha e(V) = 1 - V

f is the replica-symmetric potential alpha Psi(q) + sup_r [(r - log(1 + r) - r q) / 2], where r = q / (1 - q)
attains the supremum. Its largest maximum is the Bayes-optimal overlap. Message passing that starts without
information climbs from q = 0 to the first maximum, which may be another one.

Source: Barbier, Krzakala, Macris, Miolane, Zdeborova, *Optimal errors and phase transitions in
high-dimensional generalized linear models*, PNAS 116 (2019).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from simdiff.errors import InputError, check_number
from simdiff.theory.denoising.state_evolution import OutputChannel, channel
from simdiff.theory.numerics.quadrature import QuadratureWarning

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline, PPoly

_FEWEST, _MOST = 20, 160
_TAIL = 1e-8
"""Chebyshev series of the curves end where their last coefficients are below this share of the scale."""

_STEP = 0.02
"""Cells of the splines in s are at most this wide: their error is below 3e-9 times a fourth derivative.
Roots are told apart down to a cell; near V = 1, where small overlaps lie, cells shrink to 1e-5 of this."""

_LEVELS = (1.0, 1.5, 2.25, 3.4)
_ACCURACY, _ALARM = 1e-8, 1e-7
_LARGEST_ALPHA = 50.0


class HardPhaseWarning(UserWarning):
    """The Bayes floor is not what message passing reaches from an uninformed start."""


def hidden_manifold_floor(nonlinearity: Any, psi_D: float, t: float) -> float:
    """Limit of (1/d) E ||z + sqrt(h) grad log P_t(x_t)||^2 for x = sigma(M xi / sqrt D), P_t being given M.

    M (d x D) and xi have iid N(0, 1) entries; d grows at fixed psi_D = D/d.

    Args:
        nonlinearity: has `.fn`, elementwise on float64 arrays, and may have `.kinks`, the places where
            fn or its derivative jumps. A constant added to fn changes nothing. The curves are cached by
            nonlinearity and t: further psi_D cost a root search.
        psi_D: latent dimension over d, at least 1e-4.
        t: diffusion time, between 1e-6 and 6.

    Relative accuracy, against a finer quadrature: 4e-8 for t in [1e-3, 3] and psi_D in [0.02, 20] and sigma
    smooth, kinked or with jumps (absolute 1e-14 where the floor is less). Where the curves are not known
    to 1e-7 of the floor at psi_D = infinity the floor is nan, and a `QuadratureWarning` says why. Time and
    memory grow with the range of sigma on |u| < 8.5 in units of sqrt(h)/a, and with jumps that `.kinks`
    does not name.

    Where the equations have several solutions this is the one of largest free entropy; a
    `HardPhaseWarning` then says where message passing without prior information stops, if earlier.

    Raises:
        InputError: psi_D or t outside its range, no callable `.fn`, or one that is not elementwise, not
            finite or constant.
    """
    psi, t = check_number("psi_D", psi_D, least=1e-4), check_number("t", t, least=1e-6, most=6.0)
    if not callable(getattr(nonlinearity, "fn", None)):
        raise InputError("nonlinearity", nonlinearity, "an object with a callable .fn")
    most = _LARGEST_ALPHA * 10.0 ** max(0, math.ceil(-math.log10(_LARGEST_ALPHA * psi) - 1e-9))
    try:
        curves = _cached(nonlinearity, t, most)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        curves = _curves(nonlinearity, t, most)
    if not curves.error < _ALARM:
        name = getattr(nonlinearity, "name", repr(nonlinearity))
        message = f"the Bayes floor of {name} at t = {t:.4g} is known to {curves.error:.1g} only: it is nan"
        warnings.warn(f"{message}; does .kinks name every jump?", QuadratureWarning, stacklevel=2)
        return math.nan
    best, reached = fixed_points(curves, 1.0 / psi)
    if reached.overlap < best.overlap:
        message = (
            f"at psi_D={psi:.6g}, t={t:.6g} the Bayes floor is {best.floor:.6g} "
            f"(overlap {best.overlap:.4g}), but message passing without prior information stops "
            f"at {reached.floor:.6g} (overlap {reached.overlap:.4g})"
        )
        warnings.warn(message, HardPhaseWarning, stacklevel=2)
    return best.floor


class FixedPoint(NamedTuple):
    """An overlap q that is a local maximum of the free entropy, and the floor there."""

    overlap: float
    floor: float


class Curves(NamedTuple):
    """Splines over s = log V, with their knots; `integral` is that of `explained` from s = 0.

    `error` is what is known of their accuracy, relative to the floor at psi_D = infinity.
    """

    s: np.ndarray
    explained: CubicSpline
    integral: PPoly
    floor: CubicSpline
    error: float = math.nan


def fixed_points(curves: Curves, alpha: float) -> tuple[FixedPoint, FixedPoint]:
    """The maximum of largest free entropy, and the first one from q = 0. alpha within the curves' range."""
    maxima = _maxima(curves, alpha)
    entropy = maxima - np.expm1(maxima) - alpha * curves.integral(maxima)
    best, reached = (
        FixedPoint(abs(float(np.expm1(s))), max(0.0, float(curves.floor(s))))
        for s in (maxima[np.argmax(entropy)], maxima.max())
    )
    return best, reached


def _maxima(curves: Curves, alpha: float) -> np.ndarray:
    """s at the local maxima of f: f' has the sign of `slope`, which rises through zero with s.

    s = 0 is one if f falls from there; for even sigma the slope there is 0 up to rounding. The end of the
    table stands in where errors of an unresolved sigma hide them all.
    """

    def slope(s: Any) -> Any:
        return alpha * curves.explained(s) + np.expm1(s)

    from scipy.optimize import brentq

    s, values = curves.s, slope(curves.s)
    cells = np.nonzero((values[:-1] < 0) & (values[1:] >= 0))[0]
    maxima = [brentq(slope, s[i], s[i + 1], xtol=1e-13) for i in cells]
    if values[-2] < 0 and values[-1] < 0:
        maxima.append(0.0)
    return np.array(maxima or [s[0]])


@functools.lru_cache(maxsize=256)
def _cached(nonlinearity: Any, t: float, most: float) -> Curves:
    return _curves(nonlinearity, t, most)


def _curves(nonlinearity: Any, t: float, most: float) -> Curves:
    """The curves for alpha <= most, refined until they are accurate."""
    coarse = channel(nonlinearity, t)
    least = _least_variance(coarse, most)
    fine, error = _fine_enough(coarse, least)
    curves, tail = _tabulate(fine, least, max(error, _TAIL))
    return curves._replace(error=max(error, tail))


def _least_variance(of: OutputChannel, most: float) -> float:
    """A V below all fixed points for alpha <= most.

    I falls with V. So from v up to the next of a few places, 1 / (1 + alpha I) is above its value at v, and
    V can equal it nowhere below that. It is near eps^2 / alpha if sigma is smooth and 1 / alpha^2
    if it jumps, where I diverges as V -> 0.
    """
    start = min(1e-3 * of.eps**2 / most, 1e-2 / most**2)
    places = np.geomspace(start, 1.0, math.ceil(-math.log10(start)) + 1)
    information = np.array([of(v)[0] / v for v in places])
    information = np.maximum.accumulate(information[::-1])[::-1]  # so it is, up to features that go unseen
    bounds = 1.0 / (1.0 + most * information)
    return 0.8 * float(bounds[np.argmax(np.append(bounds[:-1] < places[1:], True))])


def _fine_enough(of: OutputChannel, least: float) -> tuple[OutputChannel, float]:
    """The channel at the first level that agrees with the next at five V, and the relative difference.

    Where none does, for a jump that nobody named, finer levels cost much and gain little: the coarsest.
    """
    places = least ** np.linspace(0.0, 1.0, 5)
    coarsest, first = of, np.array([of(v) for v in places])
    result = first
    for level in _LEVELS[1:]:
        coarse, of = of, dataclasses.replace(of, level=level)
        previous, result = result, np.array([of(v) for v in places])
        error = float(np.abs(previous - result).max()) / of.scale
        if error < _ACCURACY:
            return coarse, error
    if error < _ALARM:
        return of, error
    return coarsest, float(np.abs(first - result).max()) / of.scale


def _tabulate(of: OutputChannel, least: float, accuracy: float) -> tuple[Curves, float]:
    """The curves on V in [least, 1], and the relative size of their last Chebyshev coefficients."""
    start, count = math.log(least), _FEWEST
    values = _at(of, start, np.arange(count + 1) / count)
    while (tail := _tail(values) / of.scale) > accuracy and count < _MOST:
        new = _at(of, start, (np.arange(count) + 0.5) / count)
        values, count = np.insert(values, np.arange(1, count + 1), new, axis=0), 2 * count
    s = np.linspace(start, 0.0, max(50, math.ceil(-start / _STEP)) + 1)
    s = np.concatenate([s[:-1], s[-2] * 0.5 ** np.arange(1, 17), [0.0]])
    from scipy.interpolate import CubicSpline

    explained, floor = (CubicSpline(s, c) for c in chebyshev.chebval(1.0 - 2.0 * s / start, _series(values)))
    integral = explained.antiderivative()
    integral.c[-1] -= integral(0.0)
    return Curves(s, explained, integral, floor), tail


def _at(of: OutputChannel, start: float, places: np.ndarray) -> np.ndarray:
    """Values (places, 2) at angles pi * places of [start, 0]; V = 1 at place 0."""
    return np.array([of(math.exp(s)) for s in 0.5 * start * (1.0 - np.cos(math.pi * places))])


def _series(values: np.ndarray) -> np.ndarray:
    """Chebyshev coefficients (count + 1, 2) of the polynomials through values at the extrema."""
    from scipy.fft import dct

    series = dct(values, type=1, axis=0) / (len(values) - 1)
    series[[0, -1]] *= 0.5
    return series


def _tail(values: np.ndarray) -> float:
    return float(np.abs(_series(values)[-3:]).max())
