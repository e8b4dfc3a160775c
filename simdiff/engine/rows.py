"""Metrics of trials as rows: one per trial and time, each with a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from simdiff.engine.returned import check_metrics
from simdiff.problem import Problem

OK = "ok"


def rows(
    problem: Problem,
    d: int,
    seed: int,
    trials: Sequence[int],
    metrics: Mapping[str, np.ndarray],
    shared: Mapping[str, Any] = MappingProxyType({}),
) -> pd.DataFrame:
    """Metrics of shape (trials,) or (trials, times) as a table, one row per trial and time.

    `shared`: further columns, each of one value.
    """
    check_metrics(problem, metrics)
    times = problem.times
    repeats = 1 if times is None else len(times)
    columns: dict[str, Any] = {
        "point": problem.digest(),
        "d": d,
        "trial": np.repeat(np.asarray(trials), repeats),
        "seed": seed,
    }
    if times is not None:
        columns["time"] = np.tile(np.asarray(times, float), len(trials))
    names = [metric.name for metric in problem.metrics]
    values = {name: np.asarray(metrics[name], float).reshape(-1) for name in names}
    finite = np.all([np.isfinite(v) for v in values.values()], axis=0)
    columns["status"] = np.where(finite, OK, problem.failures(values))
    return pd.DataFrame(columns | values | dict(shared))
