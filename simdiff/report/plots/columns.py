"""Reading the result tables: which columns are parameters, which of them vary, which rows belong together.

The summary table has one row per point, time and metric. Whatever column it has beyond the known
results is a parameter of the problem, so a problem with other parameters needs no change here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simdiff.errors import InputError, check_choice
from simdiff.validation import DISAGREE, INCONCLUSIVE, UNDECIDED

__all__ = ["DISAGREE", "INCONCLUSIVE", "UNDECIDED"]

RESULTS = frozenset(
    {"point", "problem", "metric", "theory", "estimate", "stderr", "p_value", "p_adjusted", "verdict"}
    | {"reason", "order", "corrections", "chi2", "chi2_dof", "p_fit", "known"}
    | {"trials", "sizes", "bad", "d", "mean", "time", "theory_name"}
)
"""Columns that are results or bookkeeping; every other column is a parameter."""

COMPLEXITY = frozenset(
    {"metric", "threshold", "sample_complexity", "ridge", "value", "reachable", "bound", "stays", "reason"}
)
"""The columns of a table of sample complexities beside the parameters."""


def plain(value: Any) -> Any:
    """Return a cell as float, str or None: integers as floats, "inf" as infinity, NaN as None, yes or no."""
    if isinstance(value, str):
        return float(value) if value in ("inf", "-inf") else value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.number)):
        return None if math.isnan(value) else float(value)
    return None if value is None or value is pd.NA else str(value)


def order(value: Any) -> tuple[int, float, str]:
    """Return the sort key of a plain value: numbers, infinity last among them; then words; then None."""
    if isinstance(value, float):
        return (0, value, "")
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def values(table: pd.DataFrame, column: str) -> list[Any]:
    """Return the distinct plain values of a column, sorted."""
    return sorted({plain(v) for v in table[column]}, key=order)


def numbers(column: Sequence[Any] | pd.Series) -> np.ndarray:
    """Return a column as float64 (rows,); whatever is no number becomes NaN."""
    cells = (float(v) if isinstance(v, (bool, np.bool_)) else plain(v) for v in column)
    return np.array([c if isinstance(c, float) else math.nan for c in cells], dtype=np.float64)


def varying(table: pd.DataFrame) -> list[str]:
    """Return the parameter columns with more than one value, all constant within a point."""
    names = [c for c in table.columns if c not in RESULTS and len(values(table, c)) > 1]
    if "point" not in table.columns:
        return names
    constant = {c: table.groupby("point")[c].agg(lambda s: len({plain(v) for v in s})).max() for c in names}
    return [c for c in names if constant[c] == 1]


def fixed(table: pd.DataFrame) -> dict[str, Any]:
    """Return the parameters that have one value throughout: {column: plain value}, empty ones left out."""
    single = {c: values(table, c) for c in table.columns if c not in RESULTS}
    return {c: v[0] for c, v in single.items() if len(v) == 1 and v[0] not in (None, "")}


def main_axis(table: pd.DataFrame) -> str | None:
    """Return the column worth an x axis: the varying one with most numeric values, or None."""
    counts = {c: np.unique(numbers(table[c])[np.isfinite(numbers(table[c]))]).size for c in varying(table)}
    if "time" in table.columns and len(values(table, "time")) > 1:
        counts["time"] = len(values(table, "time"))
    best = max(counts, key=lambda c: counts[c], default=None)
    return best if best is not None and counts[best] > 1 else None


def need_column(table: pd.DataFrame, field: str, column: str | None) -> str:
    """`column` if the table has it, or `InputError`."""
    if column is None or column not in table.columns:
        names = [*varying(table), *(c for c in ("time",) if c in table.columns)]
        raise InputError(field, column, ", ".join(names) or "none: no parameter of this table varies")
    return column


def need_metrics(table: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """`metrics` as a list if the table has them all, or `InputError`."""
    known = list(dict.fromkeys(table["metric"]))
    return [check_choice("metrics", name, known) for name in metrics]


def matching(table: pd.DataFrame, key: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that agree with `key` on those of its columns that the table has."""
    keep = np.ones(len(table), dtype=bool)
    for column, value in key.items():
        if column in table.columns:
            keep &= np.array([plain(v) == plain(value) for v in table[column]], dtype=bool)
    return table[keep]


def groups(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the distinct combinations of `columns` that occur, sorted; [{}] without columns."""
    if not columns:
        return [{}]
    found = {tuple(plain(v) for v in row) for row in table[list(columns)].itertuples(index=False)}
    return [dict(zip(columns, k, strict=True)) for k in sorted(found, key=lambda k: [order(v) for v in k])]


def at_time(table: pd.DataFrame, time: float | None = None) -> pd.DataFrame:
    """Each point's rows at the recorded time nearest to `time` (None: its last); all without times."""
    if "time" not in table.columns or table["time"].isna().all():
        return table
    point = table["point"] if "point" in table.columns else pd.Series("", index=table.index)
    key = -table["time"] if time is None else (table["time"] - time).abs()
    return table[(key == key.groupby(point).transform("min")) | key.isna()]


def metrics_of(table: pd.DataFrame, *names: str) -> list[str]:
    """Return the metrics with a finite value in one of the columns `names`, in order of appearance."""
    finite = np.isfinite([numbers(table[c]) for c in names]).any(axis=0)
    return list(dict.fromkeys(table["metric"][finite]))


def pulls(summary: pd.DataFrame) -> np.ndarray:
    """(estimate - theory) / stderr of every row (rows,); NaN where one of them is missing or stderr is 0."""
    error = numbers(summary["stderr"])
    gap = numbers(summary["estimate"]) - numbers(summary["theory"])
    return np.divide(gap, error, out=np.full(len(summary), math.nan), where=error > 0)


def deviations(summary: pd.DataFrame) -> np.ndarray:
    """(estimate - theory) / |theory| of every row (rows,); NaN where theory is missing or 0."""
    theory = numbers(summary["theory"])
    gap = numbers(summary["estimate"]) - theory
    return np.divide(gap, np.abs(theory), out=np.full(len(summary), math.nan), where=np.abs(theory) > 0)
