"""Curves of one metric against a control parameter t (a time, a ratio) at several sizes, with errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simdiff.errors import InputError
from simdiff.validation.estimators import OK, FloatArray

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Means over trials at increasing t, shape (T,), and the covariance of the means, (T, T), at size d.

    Points of one trial are correlated, so errors without their covariance would be wrong for whatever is
    fitted along a curve. `trials` is how many the covariance was estimated from; inf where it is known.
    """

    d: float
    t: FloatArray
    mean: FloatArray
    covariance: FloatArray
    trials: float

    def __post_init__(self) -> None:
        count = self.t.size
        if count < 2 or not (np.diff(self.t) > 0).all():
            raise InputError("t", self.t.tolist(), "two or more increasing numbers")
        if self.mean.shape != (count,) or self.covariance.shape != (count, count):
            raise InputError("mean", self.mean.shape, f"{count} means with their covariance")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise InputError("mean", "nan or inf", "finite means and errors")
        if not (np.diag(self.covariance) > 0).all():
            raise InputError("covariance", "an error of zero", "points with an error", "leave such t out")

    @property
    def stderr(self) -> FloatArray:
        """Standard errors of the means."""
        return np.sqrt(np.diag(self.covariance))

    def between(self, low: float, high: float) -> Curve | None:
        """The part of it in an interval; None where fewer than two points are left."""
        kept = np.flatnonzero((self.t >= low) & (self.t <= high))
        if kept.size < 2:
            return None
        return dataclasses.replace(
            self, t=self.t[kept], mean=self.mean[kept], covariance=self.covariance[np.ix_(kept, kept)]
        )


def known_curve(d: float, t: npt.ArrayLike, mean: npt.ArrayLike, stderr: npt.ArrayLike) -> Curve:
    """A curve whose points are independent and have these errors."""
    errors = np.asarray(stderr, np.float64)
    places, means = np.asarray(t, np.float64), np.asarray(mean, np.float64)
    return Curve(float(d), places, means, np.diag(errors**2), np.inf)


def independent_curve(d: float, t: npt.ArrayLike, values: Sequence[Any]) -> Curve:
    """A curve from trials of their own at every t: `values[i]` are those at t[i], two or more."""
    arrays = [np.asarray(each, np.float64) for each in values]
    if min(each.size for each in arrays) < 2:
        raise InputError("values", [each.size for each in arrays], "two trials or more at every t")
    means = np.array([each.mean() for each in arrays])
    variances = np.array([each.var(ddof=1) / each.size for each in arrays])
    count = min(each.size for each in arrays)
    return Curve(float(d), np.asarray(t, np.float64), means, np.diag(variances), float(count))


def curves_of(rows: DataFrame, metric: str, shift: Mapping[int, float] | None = None) -> list[Curve]:
    """Curves over the recorded times of trials: rows of `simulate` at several sizes, times down each trial.

    The covariance of a curve's points is that over trials. `shift[d]` is taken off the times of size d.

    Raises:
        InputError: no times, a trial without a finite result, or fewer than two trials more than times at
        a size.
    """
    missing = [name for name in ("d", "trial", "time", "status", metric) if name not in rows]
    if missing or (rows["status"] != OK).any():
        raise InputError("trials", missing or "non-finite", f"finite {metric} at times, with d and trial")
    return [_curve(int(d), part, metric, (shift or {}).get(int(d), 0.0)) for d, part in rows.groupby("d")]


def _curve(d: int, rows: DataFrame, metric: str, shift: float) -> Curve:
    table = rows.pivot_table(index=["seed", "trial"], columns="time", values=metric)
    values, t = table.to_numpy(np.float64), table.columns.to_numpy(np.float64)
    count = len(values)
    if count < t.size + 2:
        hint = f"for the covariance of {t.size} times"
        raise InputError("trials", count, f"{t.size + 2} or more at d = {d}", hint)
    return Curve(float(d), t - shift, values.mean(0), np.cov(values.T) / count, float(count))
