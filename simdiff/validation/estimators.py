"""Means and variances of one metric at each size, from trial values.

Variances are kept apart, size by size, and never pooled. The trial variance falls roughly like 1/d^2,
but a check of that law has no power with a dozen trials, so pooling on its strength would give standard
errors that are wrong by an unknown factor. Welch-Satterthwaite degrees of freedom pay for the separate
variances: with 12 trials at each of three sizes the 95% quantile is 2.07 instead of 1.96, and the
measured size of the test is 0.050 (40,000 repetitions).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simdiff.errors import InputError

OK = "ok"
"""Status of a trial whose every metric came out finite."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_KEY = ("point", "seed", "d", "trial", "time")


@dataclasses.dataclass(frozen=True, eq=False)
class SizeStats:
    """One metric's sample moments at K increasing sizes; every array has shape (K,).

    `means` is NaN without a usable trial, `variances` (of one trial, divisor N - 1) below two.
    `bad` counts trials that were run and gave no usable number: they are in no mean.
    """

    sizes: IntArray
    counts: IntArray
    means: FloatArray
    variances: FloatArray
    bad: IntArray

    @property
    def totals(self) -> IntArray:
        """Trials run at each size, usable or not."""
        return self.counts + self.bad

    @property
    def stderrs(self) -> FloatArray:
        """Standard error of each mean."""
        return np.sqrt(self.variances / np.maximum(self.counts, 1))

    def planning_stds(self) -> FloatArray:
        """Trial standard deviations for planning only: halfway (in logarithm) to the law s/d.

        A size whose sample variance happens to be small would get too few trials; shrinking towards the
        law halves that. The analysis never uses these, so a wrong law costs trials, not validity.
        """
        dof = self.counts - 1
        pooled = np.sqrt(np.sum(dof * self.variances * self.sizes**2.0) / np.sum(dof))
        return np.sqrt(np.sqrt(self.variances) * pooled / self.sizes)


def size_stats(samples: Mapping[int, Any], bad: Mapping[int, int] | None = None) -> SizeStats:
    """Moments of `samples[d]`, the values of one metric at size d; non-finite values count as bad.

    `bad[d]` adds trials known to be bad for another reason.
    """
    sizes = np.array(sorted(samples), np.int64)
    values = [np.asarray(samples[int(d)], np.float64).ravel() for d in sizes]
    good = [v[np.isfinite(v)] for v in values]
    dropped = [v.size - g.size for v, g in zip(values, good, strict=True)]
    known = [(bad or {}).get(int(d), 0) for d in sizes]
    return SizeStats(
        sizes=sizes,
        counts=np.array([g.size for g in good], np.int64),
        means=np.array([g.mean() if g.size else np.nan for g in good], np.float64),
        variances=np.array([_variance(g) for g in good], np.float64),
        bad=np.array(dropped, np.int64) + np.array(known, np.int64),
    )


def trial_stats(
    rows: pd.DataFrame, metric: str, sizes: Sequence[int], shift: Mapping[int, float] | None = None
) -> SizeStats:
    """Moments of `metric` minus `shift[d]` from trial rows of one point and time, at `sizes`.

    Rows need the columns d, status and `metric`. A row whose status is not "ok" is counted as bad and
    left out of every mean. A trial stored twice counts once. A frame without rows gives zero counts.
    """
    if len(rows) == 0:
        return size_stats({int(d): () for d in sizes})
    missing = [c for c in ("d", "status", metric) if c not in rows]
    if missing:
        raise InputError("trials", list(rows.columns), f"a table with the columns {missing}")
    rows = rows.drop_duplicates([c for c in _KEY if c in rows])
    sizes_of, ok = rows["d"].to_numpy(), rows["status"].to_numpy() == OK
    values = rows[metric].to_numpy(np.float64)
    samples = {int(d): values[(sizes_of == d) & ok] - (shift[int(d)] if shift else 0.0) for d in sizes}
    return size_stats(samples, {int(d): int(np.sum((sizes_of == d) & ~ok)) for d in sizes})


def _variance(values: FloatArray) -> float:
    """Sample variance; exactly 0 for equal values, where rounding of the mean would leave dust."""
    if values.size < 2:
        return float("nan")
    return float(values.var(ddof=1)) if np.ptp(values) > 0 else 0.0
