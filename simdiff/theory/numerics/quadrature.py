"""Constants of an activation under Gaussian pre-activations, by quadrature.

notation:
    u = sqrt(c) y + sqrt(h) z, y, z ~ N(0, 1) independent: a pre-activation, of variance tau = c + h;
    draws of noise for one sample share y.   m(y) = E_z rho(u).

    mu0 = E rho(u),  mu1 = E rho'(u) = E[u rho(u)] / tau   (Stein: no derivative of rho is needed)
    v2  = E (m(y) - mu0 - mu1 sqrt(c) y)^2                 = E rho(u) rho(u') - mu0^2 - mu1^2 c
    s2  = E (rho(u) - m(y) - mu1 sqrt(h) z)^2              = E rho^2 - E rho(u) rho(u') - mu1^2 h

v2 and s2 are small differences of large numbers on the right and sums of squares on the left, which
is what is evaluated: nothing cancels, and a linear rho gives zero to rounding. Panels of
Gauss-Legendre nodes are split at the kinks of rho; in y they are graded around kinks down to
sqrt(h/c), the width over which the average over z smooths them. Where an even grid cannot see all of
a smooth rho (a tanh at variance 1e6), the panels of `resolved_panels` are added to those in y and z.

Source: George, Veiga, Macris, arXiv 2502.00336, for the constants at m = 1 and m = infinity.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.theory.numerics.resolved_panels import deviations, resolving_ends, split

_REACH = 9.0
"""Integrals run over |y|, |z| < 9: outside lies 2e-19 of the mass."""

WIDE = 1.0
"""Signal variance from which on an activation's own closed form is asked, where it has one."""

_ACCURACY = 1e-9
_ALARM = 1e-6
_UNSEEN = 1e-3
"""Refining the even grid is trusted where its first interpolants are wrong by less than this."""
_RESOLVED = 1e-11
_REFINEMENTS = (1.0, 1.5, 3.0, 6.0, 12.0)
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(14)


class Constants(NamedTuple):
    """mu0, mu1, v2, s2 of the module's notation."""

    mu0: float
    mu1: float
    v2: float
    s2: float


_UNKNOWN = Constants(math.nan, math.nan, math.nan, math.nan)


class QuadratureWarning(UserWarning):
    """The constants of an activation could not be computed to the accuracy aimed at."""


def constants(activation: Any, c: float, h: float) -> Constants:
    """Constants at signal variance c = a^2 tr(Sigma)/d and noise variance h; tau = c + h.

    Args:
        activation: has `.fn`, elementwise on float64 arrays, and may have `.kinks`, the places where
            fn or its derivative jumps, and `.wide_constants`, a function of (c, h) that gives all four
            for c >= 1 in closed form. Results are cached by activation, c and h.
        c: covariance of two noise draws of one sample, >= 0.
        h: 1 - e^{-2t}, > 0.

    Relative accuracy is 1e-9 or better, judged by shrinking the panels. Where not even 1e-6 is reached
    (a jump that `.kinks` does not name, hundreds of oscillations) all four are nan, and a
    `QuadratureWarning` says why.

    Raises:
        InputError: no callable `.fn`, or values that are not finite.
    """
    if not callable(getattr(activation, "fn", None)):
        raise InputError("model.activation", activation, "an object with a callable .fn")
    c, h = check_number("c", c, least=0), check_number("h", h, above=0)
    try:
        result, reason = _cached(activation, c, h)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        result, reason = _known(activation, c, h)
    if reason:
        name = getattr(activation, "name", repr(activation))
        message = f"constants of {name} at c = {c:.4g}, h = {h:.4g} {reason}"
        warnings.warn(f"{message}; does .kinks name every jump?", QuadratureWarning, stacklevel=3)
    return result


@functools.lru_cache(maxsize=4096)
def _cached(activation: Any, c: float, h: float) -> tuple[Constants, str]:
    return _known(activation, c, h)


def _known(activation: Any, c: float, h: float) -> tuple[Constants, str]:
    """The constants, and why they are nan where they are."""
    closed = getattr(activation, "wide_constants", None)
    if closed is not None and c >= WIDE:
        return Constants(*closed(c, h)), ""
    return _refined(activation, c, h)


def _refined(activation: Any, c: float, h: float) -> tuple[Constants, str]:
    """Shrink the panels until two results agree; the second is far better than their difference."""
    kinks = tuple(float(k) for k in getattr(activation, "kinks", ()))
    ends = _resolve(activation.fn, kinks, c + h)
    if ends is None:
        return _UNKNOWN, "cannot be computed: it varies too often or jumps"
    result = _evaluate(activation.fn, kinks, ends, c, h, _REFINEMENTS[0])
    for refine in _REFINEMENTS[1:]:
        coarse, result = result, _evaluate(activation.fn, kinks, ends, c, h, refine)
        error = _distance(coarse, result, c, h)
        if error < _ACCURACY:
            return result, ""
    return (result, "") if error < _ALARM else (_UNKNOWN, f"are known to {error:.1g} only")


def _resolve(fn: Callable, kinks: tuple[float, ...], tau: float) -> np.ndarray | None:
    """Ends in u of panels that resolve fn; empty where the even grid sees all, None where none are found."""

    def values(u: np.ndarray) -> np.ndarray:
        return _call(fn, u)

    places = np.array(kinks) / math.sqrt(tau)
    even = np.unique(math.sqrt(tau) * _breaks(places, 1.0))
    if deviations(values, even).max() < _UNSEEN:
        return np.zeros(0)
    return resolving_ends(values, even, _RESOLVED)


def _distance(old: Constants, new: Constants, c: float, h: float) -> float:
    """Largest relative difference; v2 and s2 below 1e-12 of the variance count as zero."""
    scale = new.mu1**2 * (c + h) + new.v2 + new.s2 + 1e-300
    spread = [abs(o - n) / max(n, 1e-12 * scale) for o, n in zip(old[2:], new[2:], strict=True)]
    return max(*spread, abs(old.mu1**2 - new.mu1**2) * (c + h) / scale)


def _evaluate(
    fn: Callable, kinks: tuple[float, ...], ends: np.ndarray, c: float, h: float, refine: float
) -> Constants:
    tau = c + h
    ends = split(ends, math.ceil(refine)) if ends.size else ends
    marks = np.concatenate([kinks, ends])
    x, weight = _gaussian_rule(_breaks(marks / math.sqrt(tau), refine))
    values = _call(fn, math.sqrt(tau) * x)
    mu0 = float(weight @ values)
    mu1 = float(weight @ (x * values)) / math.sqrt(tau)

    y, outer = _gaussian_rule(_outer_breaks(kinks, ends, c, h, refine))
    shift = math.sqrt(c) * y
    z, inner = _gaussian_rule(_breaks((marks - shift[:, None]) / math.sqrt(h), refine))
    rho = _call(fn, shift[:, None] + math.sqrt(h) * z)
    mean = np.sum(inner * rho, axis=1)
    within = np.sum(inner * (rho - mean[:, None] - mu1 * math.sqrt(h) * z) ** 2, axis=1)
    return Constants(mu0, mu1, float(outer @ (mean - mu0 - mu1 * shift) ** 2), float(outer @ within))


def _breaks(kinks: np.ndarray, refine: float) -> np.ndarray:
    """Panel ends (..., b): an even grid, and the kinks (..., k) along the last axis."""
    grid = np.linspace(-_REACH, _REACH, round(8 * refine) + 1)
    grid = np.broadcast_to(grid, (*kinks.shape[:-1], grid.size))
    return np.sort(np.concatenate([grid, np.clip(kinks, -_REACH, _REACH)], axis=-1), axis=-1)


def _outer_breaks(
    kinks: tuple[float, ...], ends: np.ndarray, c: float, h: float, refine: float
) -> np.ndarray:
    """Panel ends in y. Around a kink their distances double from sqrt(h/c)/2 up."""
    if c == 0:
        return _breaks(np.zeros(0), refine)
    width = math.sqrt(h / c)
    steps = max(0, math.ceil(refine * math.log2(2.0 * _REACH / width))) + 1
    ladder = 0.5 * width * 2.0 ** (np.arange(steps) / refine)
    offsets = np.concatenate([-ladder, [0.0], ladder])
    return _breaks(
        np.concatenate([ends / math.sqrt(c), *(k / math.sqrt(c) + offsets for k in kinks)]), refine
    )


def _gaussian_rule(breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (..., nodes) for the standard normal on the panels; the mass is made 1."""
    half = 0.5 * np.diff(breaks, axis=-1)[..., None]
    middle = 0.5 * (breaks[..., 1:] + breaks[..., :-1])[..., None]
    nodes = (middle + half * _NODES).reshape(*breaks.shape[:-1], -1)
    weights = (half * _NODE_WEIGHTS).reshape(nodes.shape) * np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum(axis=-1, keepdims=True)


def _call(fn: Callable, u: np.ndarray) -> np.ndarray:
    """fn(u), checked. The call is padded to a power of two: JAX compiles an operation once a shape."""
    flat = np.zeros(1 << max(0, u.size - 1).bit_length())
    flat[: u.size] = u.ravel()
    values = np.asarray(fn(flat), dtype=np.float64)
    if values.shape != flat.shape:
        hint = f"shape {flat.shape} became {values.shape}"
        raise InputError("model.activation", fn, "an elementwise function", hint)
    values = values[: u.size].reshape(u.shape)
    if not np.isfinite(values).all():
        hint = f"not finite at {float(u[~np.isfinite(values)][0]):.4g}"
        raise InputError("model.activation", fn, "a function finite on the reals", hint)
    return values
