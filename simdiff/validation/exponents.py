"""The exponent of a power law, with an error, from means at several sizes.

    value(x) = C x^exponent exp(b x^-omega)

where x is a size, or any positive number, and the last factor, one plus a correction to scaling, is
fitted where its exponent omega is given. A straight line in logarithms: its weights are the numbers of
trials (relative spreads that are alike), never the estimated variances, which enter the error of the
exponent only, as in `finite_size`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simdiff.errors import InputError, check_number
from simdiff.validation.claims import Fitted
from simdiff.validation.estimators import FloatArray, SizeStats
from simdiff.validation.finite_size import residual_test

_LEAST_SIGNAL = 4.0
"""A mean must be so many of its standard errors from zero: else its logarithm has no useful error."""


def fit_exponent(stats: SizeStats, x: npt.ArrayLike | None = None, correction: float | None = None) -> Fitted:
    """The exponent of means at the sizes of `stats`, or at other numbers `x`, one for each of its entries.

    Raises:
        InputError: fewer sizes than coefficients, means that are not positive or drown in their errors, or
            numbers x that are not positive.
    """
    at = np.asarray(stats.sizes if x is None else x, np.float64)
    if at.shape != stats.means.shape or not (at > 0).all():
        raise InputError("x", x, f"{stats.means.size} positive numbers")
    errors = stats.stderrs / stats.means
    if (stats.counts < 2).any() or not (stats.means > _LEAST_SIGNAL * stats.stderrs).all():
        allowed = f"means that are positive by {_LEAST_SIGNAL:g} standard errors, of two trials or more each"
        raise InputError("means", stats.means.tolist(), allowed)
    columns = _columns(at, correction)
    if len(at) < columns.shape[1]:
        raise InputError("sizes", len(at), f"{columns.shape[1]} or more")
    counts = stats.counts.astype(np.float64)
    return line_coefficient(columns, 1, counts, np.log(stats.means), errors**2)


def line_coefficient(
    columns: FloatArray, which: int, counts: FloatArray, values: FloatArray, errors2: FloatArray
) -> Fitted:
    """A coefficient of the least-squares fit of values by columns, with weights `counts`.

    The error combines each value's own, with Welch-Satterthwaite degrees of freedom.
    """
    root = np.sqrt(counts)
    weights = (np.linalg.pinv(root[:, None] * columns) * root)[which]
    parts = weights**2 * errors2
    total = float(parts.sum())
    dof = total**2 / float(np.sum(parts**2 / (counts - 1))) if total > 0 else math.inf
    chi2, p_fit = residual_test(columns, counts, values, errors2)
    left = len(values) - columns.shape[1]
    return Fitted(float(weights @ values), math.sqrt(total), dof, chi2, left, p_fit)


def _columns(x: FloatArray, correction: float | None) -> FloatArray:
    columns = [np.ones_like(x), np.log(x)]
    if correction is not None:
        omega = check_number("correction", correction, above=0)
        columns.append((x / x.min()) ** -omega)
    return np.stack(columns, axis=1)
