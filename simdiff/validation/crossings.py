"""Where curves of different sizes cross, as those of a Binder ratio do at a critical point, and the drift.

Two curves near their crossing are cubics through the points in a window, fitted with their covariance.
They cross at a root of the difference, whose error follows by linear propagation. Crossings of neighbouring
sizes drift towards the critical point as t_c + c d^-x, d the geometric mean of the two sizes: with x given,
`crossing_limit` fits both.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.validation.claims import Fitted
from simdiff.validation.curves import Curve
from simdiff.validation.estimators import FloatArray

_DEGREE = 3


@dataclasses.dataclass(frozen=True)
class Crossing:
    """Of the curves of sizes `small` and `large`: where, with its standard error, and the height there.

    chi2 and its p-value measure how well cubics fit in the window; nan without points to spare. The curve of
    size `large` is a part of the next crossing, too: `with_next` is the covariance of the two.
    """

    small: float
    large: float
    t: float
    stderr: float
    height: float
    chi2: float
    p_fit: float
    with_next: float = 0.0

    @property
    def d(self) -> float:
        """The geometric mean of the sizes."""
        return math.sqrt(self.small * self.large)


def crossings(curves: Sequence[Curve], window: tuple[float, float]) -> list[Crossing]:
    """Crossings of the curves of neighbouring sizes within a window of t, increasing in size.

    Raises:
        InputError: fewer than two sizes, fewer than four points of a curve in the window, or curves that do
            not cross exactly once there.
    """
    ordered = sorted(curves, key=lambda curve: curve.d)
    if len({curve.d for curve in ordered}) < max(2, len(ordered)):
        raise InputError("curves", [curve.d for curve in ordered], "curves of two different sizes or more")
    low, high = (check_number("window", end) for end in window)
    fits = [_cubic(curve, low, high) for curve in ordered]
    found = [
        _crossing(small, large, low, high)
        for small, large in itertools.pairwise(zip(ordered, fits, strict=True))
    ]
    return [_with_covariance(one, found[i + 1 : i + 2], fits[i : i + 3]) for i, one in enumerate(found)]


def crossing_limit(found: Sequence[Crossing], exponent: float) -> tuple[Fitted, float]:
    """(t_c, c): the limit of crossings that drift as t_c + c d^-exponent.

    Neighbouring crossings share a curve. Their covariance is a part of the weights and of the error: without
    it the error would be too small for three sizes, where t_c is a difference of crossings, and too large for
    many, where it is hardly more than a mean of the last ones.

    Raises:
        InputError: fewer than two crossings, or an exponent that is not positive.
    """
    from scipy.special import chdtrc

    exponent = check_number("exponent", exponent, above=0)
    if len(found) < 2:
        raise InputError("crossings", len(found), "two or more: three sizes")
    t, root = np.array([each.t for each in found]), np.linalg.cholesky(_covariance(found))
    drift = np.array([each.d for each in found]) ** -exponent
    columns = np.linalg.solve(root, np.stack([np.ones_like(drift), drift], axis=1))
    seen, inverse = np.linalg.solve(root, t), np.linalg.pinv(columns)
    values = inverse @ seen
    chi2 = float(np.sum((seen - columns @ values) ** 2))
    left = len(t) - 2
    p_fit = float(chdtrc(left, chi2)) if left else math.nan
    stderr = math.sqrt(float(np.sum(inverse[0] ** 2)))
    limit = Fitted(float(values[0]), stderr, math.inf, chi2 if left else math.nan, left, p_fit)
    return limit, float(values[1])


def _covariance(found: Sequence[Crossing]) -> FloatArray:
    """Of the crossings' places; those that do not follow one another share no curve."""
    whole = np.diag([each.stderr**2 for each in found])
    for i, (one, two) in enumerate(itertools.pairwise(found)):
        whole[i, i + 1] = whole[i + 1, i] = one.with_next if one.large == two.small else 0.0
    return whole


@dataclasses.dataclass(frozen=True, eq=False)
class _Cubic:
    """Coefficients in powers of t - centre, their covariance, and chi2 with its degrees of freedom."""

    values: FloatArray
    covariance: FloatArray
    centre: float
    chi2: float
    left: int

    def powers(self, t: float) -> FloatArray:
        return np.asarray((t - self.centre) ** np.arange(_DEGREE + 1.0), np.float64)


def _cubic(curve: Curve, low: float, high: float) -> _Cubic:
    inside = curve.between(low, high)
    if inside is None or inside.t.size < _DEGREE + 1:
        allowed = f"{_DEGREE + 1} points or more of every curve"
        raise InputError("window", (low, high), allowed, f"d = {curve.d:g}")
    centre = 0.5 * (low + high)
    root = np.linalg.cholesky(inside.covariance)
    columns = np.linalg.solve(root, np.vander(inside.t - centre, _DEGREE + 1, increasing=True))
    seen = np.linalg.solve(root, inside.mean)
    inverse = np.linalg.pinv(columns)
    values = inverse @ seen
    chi2 = float(np.sum((seen - columns @ values) ** 2))
    return _Cubic(values, inverse @ inverse.T, centre, chi2, inside.t.size - _DEGREE - 1)


def _with_covariance(one: Crossing, next_one: list[Crossing], fits: list[_Cubic]) -> Crossing:
    """The curve in between moves the two places in opposite directions."""
    if not next_one:
        return one
    first, shared, last = fits
    here, there = (shared.powers(each.t) for each in (one, next_one[0]))
    slopes = _slope(first, shared, one.t) * _slope(shared, last, next_one[0].t)
    return dataclasses.replace(one, with_next=-float(here @ shared.covariance @ there) / slopes)


def _slope(first: _Cubic, second: _Cubic, t: float) -> float:
    """Of the difference of two curves."""
    gap = second.values - first.values
    return float(np.arange(1, _DEGREE + 1) * gap[1:] @ first.powers(t)[:-1])


def _crossing(one: tuple[Curve, _Cubic], two: tuple[Curve, _Cubic], low: float, high: float) -> Crossing:
    from scipy.special import chdtrc

    (small, first), (large, second) = one, two
    gap = second.values - first.values
    roots = np.polynomial.polynomial.polyroots(gap) + first.centre
    real = roots[np.abs(roots.imag) < 1e-12].real
    inside = real[(real >= low) & (real <= high)]
    if inside.size != 1:
        allowed = "a window in which neighbouring curves cross once"
        raise InputError("window", (low, high), allowed, f"d = {small.d:g}, {large.d:g}: {inside.size} times")
    t = float(inside[0])
    powers = first.powers(t)
    variance = float(powers @ (first.covariance + second.covariance) @ powers)
    error = math.sqrt(variance) / abs(_slope(first, second, t))
    chi2, left = first.chi2 + second.chi2, first.left + second.left
    p_fit = float(chdtrc(left, chi2)) if left else math.nan
    height = float(powers @ first.values)
    return Crossing(small.d, large.d, t, error, height, chi2 if left else math.nan, p_fit)
