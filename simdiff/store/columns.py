"""The columns of trial rows: names, types, order.

A row is one trial, or one trial at one time. Columns that are not named here are the problem's
metrics; they are float64. So no metric may have a name that stands here: `check_metric_names`, before the
first trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simdiff.errors import InputError

HEAD: dict[str, str] = {
    "point": "string",  # digest of the problem
    "problem": "string",  # its description, JSON
    "d": "int64",
    "trial": "int64",
    "seed": "int64",
    "time": "float64",
    "status": "string",  # "ok", or why the numbers are not to be used
}
"""The columns before the metrics, with the names of their Arrow types."""

TAIL: dict[str, str] = {
    "duration": "float64",  # seconds
    "device": "string",
    "platform": "string",
    "dtype": "string",
    "versions": "string",  # JSON
    "commit": "string",
    "settings": "string",  # of JAX and of its environment, JSON
    "host_rows": "int64",
}
"""The columns after the metrics."""

OPTIONAL = ("time", "settings", "host_rows")
"""Columns that a table may lack."""

KEYS = ("point", "d", "seed", "trial", "time")
"""What identifies a row, and the order in which rows are returned."""

TYPES = HEAD | TAIL
TEXT = tuple(name for name, kind in TYPES.items() if kind == "string")
REQUIRED = tuple(name for name in TYPES if name not in OPTIONAL)
REQUIRED_TEXT = tuple(name for name in TEXT if name in REQUIRED)


def metric_columns(names: Iterable[str]) -> list[str]:
    """Pick the metrics among the column names of trial rows, in their order."""
    return [name for name in names if name not in TYPES]


def check_metric_names(owner: str, names: Sequence[Any]) -> None:
    """Raise `InputError` unless the metrics of `owner` have names of their own, each of them one."""
    odd = [n for i, n in enumerate(names) if not isinstance(n, str) or not n or n in names[:i]]
    if odd:
        raise InputError(f"{owner}.metrics", odd[0], "names that are texts, each of them once")
    taken = [name for name in names if name in TYPES]
    if taken:
        hint = "a column of every trial's row has that name: rename the metric"
        raise InputError(f"{owner}.metrics", taken[0], f"any name but {', '.join(TYPES)}", hint)


def column_order(names: Iterable[str]) -> list[str]:
    """Column names as they are stored: head, metrics as they come, tail."""
    names = list(names)
    head, tail = ([n for n in part if n in names] for part in (HEAD, TAIL))
    return head + metric_columns(names) + tail
