from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

POINT = "0123456789abcdef"


def value(d: int, seed: int, trial: int, time: float = 0.0) -> float:
    """What the metric `test` of a row must be: any mixture of rows shows."""
    return 1000 * d + 10 * trial + seed + time / 10 + 1 / 3


def trial_rows(
    trials: Sequence[int],
    point: str = POINT,
    d: int = 100,
    seed: int = 0,
    times: Sequence[float] | None = None,
    metrics: Sequence[str] = ("test",),
) -> pd.DataFrame:
    """Valid trial rows with every required column."""
    index = [(trial, time) for trial in trials for time in times or (0.0,)]
    frame = pd.DataFrame(
        {
            "point": point,
            "problem": json.dumps({"type": "Toy", "psi_n": 2}),
            "d": d,
            "trial": np.array([trial for trial, _ in index], dtype=np.int64),
            "seed": seed,
            "status": "ok",
            **{name: [value(d, seed, *pair) for pair in index] for name in metrics},
            "duration": 0.25,
            "device": "cpu:0",
            "platform": "cpu",
            "dtype": "float64",
            "versions": "{}",
            "commit": "",
        }
    )
    if times is not None:
        frame["time"] = [time for _, time in index]
    return frame


def assert_whole(frame: pd.DataFrame, times: Sequence[float] | None = None) -> None:
    """Each trial has all its rows once, with its own numbers."""
    rows = frame.groupby(["point", "d", "seed", "trial"]).size()
    assert (rows == len(times or (0.0,))).all()
    at = frame["time"] if times is not None else np.zeros(len(frame))
    expected = [value(*row) for row in zip(frame["d"], frame["seed"], frame["trial"], at, strict=True)]
    assert frame["test"].tolist() == expected
