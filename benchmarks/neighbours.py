"""Problems of neighbouring fields, each with its verdict and that on a theory that is 3% off.

    python benchmarks/neighbours.py [NAME ...]

The problems are files of docs/examples that use what a user's file may use. Each is validated at the sizes
and the precision below; the same trials are then compared with every value multiplied by 1.03. Stored in
results/neighbours.csv, one row per comparison; problems that are not named keep their rows.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from common import RESULTS, facts, store

import simdiff

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "examples"))

SEED = 0
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "ridge_regression": ("RidgeRegression", {"sizes": (40, 60, 100, 200), "precision": 0.01}),
    "kernel_ridge": ("KernelRidge", {"sizes": (40, 60, 100, 200), "precision": 0.01}),
    "lasso": (
        "Lasso",
        {"sizes": (60, 100, 200, 400), "precision": 0.015, "max_trials": 4096, "extrapolation": (1.0,)},
    ),
    "committee_machine": (
        "CommitteeMachine",
        {"sizes": (40, 60, 100, 200), "precision": 0.015, "max_trials": 2048},
    ),
}
KEPT = ["metric", "theory", "estimate", "stderr", "p_value", "p_fit", "verdict", "trials"]


def judged(name: str) -> pd.DataFrame:
    """One row per metric of this problem."""
    kind, settings = SETTINGS[name]
    module = importlib.import_module(name)
    start = time.perf_counter()
    run = simdiff.validate(getattr(module, kind)(), module.theory, seed=SEED, **settings)
    seconds = time.perf_counter() - start

    def wrong(problem: simdiff.Problem) -> dict[str, float]:
        return {metric: 1.03 * value for metric, value in module.theory(problem).items()}

    other = run.compare(wrong).table
    twin = other[other["theory_name"] != other["theory_name"].iloc[0]].set_index("metric")["verdict"]
    table = run.table[KEPT].assign(seconds=round(seconds, 1))
    table.insert(0, "problem", name)
    return table.assign(wrong=[twin[metric] for metric in table["metric"]])


def main(names: list[str]) -> None:
    """Validate, merge, store, problem by problem."""
    about = facts("python benchmarks/neighbours.py", seed=SEED, settings=SETTINGS, wrong="theory * 1.03")
    path = RESULTS / "neighbours.csv"
    for name in names or SETTINGS:
        new = judged(name)
        old = pd.read_csv(path) if path.exists() else new.iloc[:0]
        whole = pd.concat([frame for frame in (old[old["problem"] != name], new) if len(frame)])
        store("neighbours", whole.sort_values("problem", kind="stable"), about)


if __name__ == "__main__":
    main(sys.argv[1:])
