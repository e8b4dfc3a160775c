"""What is tested: one metric of one point (at one time), measured at several sizes.

The theory is evaluated at the ratios that each size really has after rounding, so the fitted quantity is
`delta(d) = simulation(d) - theory(d)`; its limit must be 0. The reported estimate is the theory at the
nominal ratios plus that limit. Without a theory the metric itself is fitted.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simdiff.errors import InputError
from simdiff.validation.estimators import SizeStats, trial_stats


@dataclasses.dataclass(frozen=True, eq=False)
class Hypothesis:
    """One metric against one theory value.

    `stats` are moments of simulation minus `offsets` (one a size: the theory there, or 0). `theory` is the
    limit at the nominal ratios, None without a theory, NaN where the theory gave no finite number.
    `rounding` is the absolute error that the trials' arithmetic may leave: no smaller difference is evidence.
    """

    metric: str
    stats: SizeStats
    theory: float | None = None
    offsets: tuple[float, ...] = ()
    time: float | None = None
    point: str = ""
    rounding: float = 0.0
    theory_name: str = ""
    """Which theory it is, where several are compared with the same trials."""
    approximate: bool = False
    """Whether the theory is of another model: then a distance is measured, and nothing is tested."""

    @property
    def reference(self) -> float:
        """What the fitted limit is added to."""
        return self.theory if self.tested and self.theory is not None else 0.0

    @property
    def tested(self) -> bool:
        """Whether there is a finite theory to test."""
        return self.theory is not None and math.isfinite(self.theory)


def hypotheses(
    rows: pd.DataFrame,
    metrics: Sequence[str],
    sizes: Sequence[int],
    *,
    theory: Mapping[str, Any] | None = None,
    theory_at: Mapping[int, Mapping[str, Any]] | None = None,
    times: Sequence[float] | None = None,
    point: str = "",
    roundings: Mapping[str, float] | None = None,
    theory_name: str = "",
    approximate: bool = False,
) -> list[Hypothesis]:
    """Every metric (at every time) of one point as a `Hypothesis`.

    rows: trial rows of the point, with the columns d, status, the metrics, and time if `times` is given.
    theory: {metric: float, or array over `times`} at the nominal ratios; a metric left out is not tested.
    theory_at: the same at the ratios realised at each size; `theory` at every size if not given.
    roundings: {metric: absolute error of the arithmetic}; 0 for those left out.
    theory_name: which of several theories this is; "" where there is one.
    """
    nominal = theory or {}
    at = {int(d): (theory_at or {}).get(int(d), nominal) for d in sizes}
    slices: list[tuple[int, float | None, pd.DataFrame]] = [(0, None, rows)]
    if times is not None:
        slices = [(i, float(t), _at_time(rows, float(t))) for i, t in enumerate(times)]
    found = [
        _hypothesis(part, metric, nominal, at, index, time, point, (roundings or {}).get(metric, 0.0))
        for index, time, part in slices
        for metric in metrics
    ]
    told = functools.partial(dataclasses.replace, theory_name=theory_name, approximate=approximate)
    return [told(item) for item in found] if theory_name or approximate else found


def _hypothesis(
    rows: pd.DataFrame,
    metric: str,
    nominal: Mapping[str, Any],
    at: Mapping[int, Mapping[str, Any]],
    index: int,
    time: float | None,
    point: str,
    rounding: float,
) -> Hypothesis:
    """One hypothesis; a theory value missing or not finite anywhere leaves raw values to fit."""
    value = _value(nominal, metric, index, time)
    shift = {d: _value(values, metric, index, time) for d, values in at.items()}
    known = {d: s for d, s in shift.items() if s is not None and math.isfinite(s)}
    usable = value is not None and math.isfinite(value) and len(known) == len(at)
    theory = value if value is None or usable else math.nan
    stats = trial_stats(rows, metric, list(at), known if usable else None)
    offsets = tuple(known[int(d)] if usable else 0.0 for d in stats.sizes)
    return Hypothesis(metric, stats, theory, offsets, time, point, rounding)


def _value(values: Mapping[str, Any], metric: str, index: int, time: float | None) -> float | None:
    """Pick the theory's number for a metric at the index-th time, or None if it has none."""
    if metric not in values or values[metric] is None:
        return None
    array = np.asarray(values[metric], np.float64)
    if time is None and array.size != 1:
        raise InputError(f"theory[{metric!r}]", array.shape, "one number", "the problem has no times")
    if array.ndim > 1 or (array.size > 1 and index >= array.size):
        raise InputError(f"theory[{metric!r}]", array.shape, "one number per time")
    return float(array.reshape(-1)[index if array.size > 1 else 0])


def _at_time(rows: pd.DataFrame, time: float) -> pd.DataFrame:
    """Rows of one time; equality up to rounding, since times travel through files."""
    if len(rows) == 0:
        return rows
    return rows[np.isclose(rows["time"].to_numpy(np.float64), time, rtol=1e-9, atol=0.0)]


def extrapolation_table(items: Iterable[Hypothesis]) -> pd.DataFrame:
    """Tabulate what a finite-size figure shows: one row per point, time, metric and size.

    Columns: point, [theory_name], [time], metric, d, mean, stderr, trials, theory (at that size's ratios).
    """
    rows = [
        {
            "point": h.point,
            "theory_name": h.theory_name,
            "time": h.time,
            "metric": h.metric,
            "d": int(d),
            "mean": float(h.stats.means[i]) + (h.offsets[i] if h.tested else 0.0),
            "stderr": float(h.stats.stderrs[i]),
            "trials": int(h.stats.counts[i]),
            "theory": h.offsets[i] if h.tested else math.nan,
        }
        for h in items
        for i, d in enumerate(h.stats.sizes)
    ]
    columns = ["point", "theory_name", "time", "metric", "d", "mean", "stderr", "trials", "theory"]
    return without_empty_keys(pd.DataFrame(rows, columns=columns))


def without_empty_keys(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without its column of times, or of theories' names, when no row has one."""
    empty = ["time"] if table["time"].isna().all() else []
    return table.drop(columns=empty if table["theory_name"].any() else [*empty, "theory_name"])
