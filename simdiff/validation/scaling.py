"""Data collapse: curves of all sizes as one, y = d^-a f((t - t_c) d^b), with quality and errors.

f is a polynomial of a degree that is fixed beforehand, in the scaled variable x = (t - t_c) d^b; with
`omega` also a correction to scaling, d^-omega times a polynomial of half that degree. Given (t_c, b, a) it is
a linear fit, so only these are searched (variable projection), by least squares in units of the errors. The
errors of the three come from the curvature of chi2 there; chi2 says how well the curves collapse, and a poor
one decides nothing. Where covariances were estimated from few trials, chi2 and the errors are corrected.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from simdiff.errors import InputError, check_integer, check_number
from simdiff.validation.claims import Fitted
from simdiff.validation.curves import Curve
from simdiff.validation.estimators import FloatArray

NAMES = ("critical", "exponent", "amplitude")
_FAR = 1e6


@dataclasses.dataclass(frozen=True, eq=False)
class Collapse:
    """The best collapse: t_c, b and a (exactly 0 where it was not asked for), and the scaling function.

    chi2, chi2_dof and p_fit are its quality. `coefficients` of f are those of Chebyshev polynomials in x
    / reach.
    """

    critical: Fitted
    exponent: Fitted
    amplitude: Fitted
    chi2: float
    chi2_dof: int
    p_fit: float
    coefficients: FloatArray
    reach: float

    def scaled(self, curve: Curve) -> FloatArray:
        """x = (t - t_c) d^b of a curve's points."""
        return np.asarray((curve.t - self.critical.value) * curve.d**self.exponent.value, np.float64)

    def function(self, x: FloatArray) -> FloatArray:
        """f(x), within the reach of the data."""
        found = np.polynomial.chebyshev.chebval(np.asarray(x) / self.reach, self.coefficients)
        return np.asarray(found, np.float64)


def collapse_curves(
    curves: Sequence[Curve],
    critical: float,
    exponent: float,
    *,
    degree: int = 6,
    omega: float | None = None,
    amplitude: bool = False,
) -> Collapse:
    """Fit t_c and b (and a), starting from these.

    Args:
        curves: of two sizes or more, with different d.
        critical: t_c to start from.
        exponent: b to start from.
        degree: of the polynomial f; fixed beforehand, for a degree that data choose spoils p_fit.
        omega: exponent of a correction to scaling, None for none.
        amplitude: whether y itself scales, with d^-a.

    Raises:
        InputError: fewer than two sizes, fewer points than parameters, or a search that does not settle.
    """
    from scipy.optimize import least_squares

    degree = check_integer("degree", degree, least=1)
    if omega is not None:
        omega = check_number("omega", omega, above=0)
    if len({curve.d for curve in curves}) < 2:
        raise InputError("curves", len(curves), "curves of two different sizes or more")
    fit = _Fit(tuple(curves), degree, omega)
    start = [check_number("critical", critical), check_number("exponent", exponent)] + [0.0] * amplitude
    left = fit.points - fit.width - len(start)
    if left < 1:
        raise InputError("curves", fit.points, f"more than {fit.points - left} points for degree {degree}")
    found = least_squares(fit.residuals, start, x_scale="jac", method="lm", max_nfev=2000)
    if not found.success or np.abs(found.x).max() > _FAR:
        raise InputError("critical", critical, "a start nearer to a collapse", "the search did not settle")
    return _collapse(fit, found.x, found.jac, left)


@dataclasses.dataclass(frozen=True, eq=False)
class _Fit:
    curves: tuple[Curve, ...]
    degree: int
    omega: float | None

    @property
    def points(self) -> int:
        return sum(curve.t.size for curve in self.curves)

    @property
    def width(self) -> int:
        """Coefficients of the scaling function and of its correction."""
        return self.degree + 1 + (0 if self.omega is None else self.degree // 2 + 1)

    def linear(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Columns and values in units of the errors, and the reach of x."""
        critical, exponent = parameters[:2]
        a = parameters[2] if len(parameters) > 2 else 0.0
        scaled = [(curve.t - critical) * curve.d**exponent for curve in self.curves]
        reach = max(float(np.abs(x).max()) for x in scaled)
        blocks, values = [], []
        for curve, x in zip(self.curves, scaled, strict=True):
            columns = curve.d**-a * self._columns(x / reach, curve.d)
            root = np.linalg.cholesky(curve.covariance)
            blocks.append(np.linalg.solve(root, columns))
            values.append(np.linalg.solve(root, curve.mean))
        return np.concatenate(blocks), np.concatenate(values), reach

    def _columns(self, x: FloatArray, d: float) -> FloatArray:
        chebyshev = np.asarray(np.polynomial.chebyshev.chebvander(x, self.degree), np.float64)
        if self.omega is None:
            return chebyshev
        share = (d / min(curve.d for curve in self.curves)) ** -self.omega
        return np.hstack([chebyshev, share * chebyshev[:, : self.degree // 2 + 1]])

    def residuals(self, parameters: FloatArray) -> FloatArray:
        """What the best scaling function leaves, in units of the errors."""
        columns, values, _ = self.linear(parameters)
        left = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
        return np.asarray(left, np.float64)


def _collapse(fit: _Fit, found: FloatArray, jacobian: FloatArray, left: int) -> Collapse:
    columns, values, reach = fit.linear(found)
    coefficients = np.asarray(np.linalg.lstsq(columns, values, rcond=None)[0], np.float64)
    chi2, factor = float(np.sum((values - columns @ coefficients) ** 2)), _inflation(fit.curves)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * factor
    dof = min(curve.trials - 1 for curve in fit.curves)
    p_fit = _p_fit(chi2 / factor, left)
    fitted = [
        Fitted(float(value), math.sqrt(max(float(variance), 0.0)), float(dof), chi2 / factor, left, p_fit)
        for value, variance in zip(found, np.diag(covariance), strict=True)
    ]
    if len(fitted) < len(NAMES):
        fitted.append(Fitted(0.0, 0.0, math.inf, chi2 / factor, left, p_fit))
    critical, exponent, amplitude = fitted
    quality = chi2 / factor, left, p_fit
    return Collapse(critical, exponent, amplitude, *quality, coefficients[: fit.degree + 1], reach)


def _inflation(curves: tuple[Curve, ...]) -> float:
    """How much larger than true ones inverse covariances of few trials are: (N - 1) / (N - T - 2)."""
    factors = [1.0]
    for curve in curves:
        off_diagonal = np.count_nonzero(curve.covariance - np.diag(np.diag(curve.covariance))) > 0
        width = curve.t.size if off_diagonal else 1
        if math.isfinite(curve.trials):
            factors.append((curve.trials - 1) / max(curve.trials - width - 2, 0.5))
    return max(factors)


def _p_fit(chi2: float, left: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(left, chi2))
