"""What plans expect, and what runs then take: the sweep of `make run` and the problems of `time_to_verdict`.

    python benchmarks/plans.py [CASE ...]

Plan and run are processes of their own, with no compiled programs of an earlier one, as for a user's first
run. Seconds are those of the call: trials, compilation and theory, without imports, reports and figures.
Stored in results/plans.csv: expected and measured trials and seconds, and their ratios. Cases that are not
named keep their rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from common import RESULTS, facts, store
from time_to_verdict import problems

import simdiff

SWEEP = {
    "axes": {"m": [1, 4, float("inf")], "model.psi_p": [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8]},
    "settings": {"sizes": (64, 96, 160, 256), "precision": 0.015, "absolute": 1e-4},
}


def cases() -> dict[str, tuple[simdiff.Problem, dict[str, Any]]]:
    """{name: problem and arguments of `plan`}; axes where it is a sweep."""
    sweep = simdiff.DenoisingScoreMatching(psi_n=2.0, t=0.1, trainer=simdiff.trainers.Ridge(1e-3))
    alone = {name: (problem, {"max_trials": 4096}) for name, problem in problems().items()}
    return {"gaussian_learning_curve": (sweep, {"axes": SWEEP["axes"], **SWEEP["settings"]}), **alone}


def expected(name: str) -> dict[str, float]:
    """What the plan says."""
    problem, arguments = cases()[name]
    start = time.perf_counter()
    plan = simdiff.plan(problem, **arguments)
    took = time.perf_counter() - start
    return {"trials": plan.trials, "seconds": plan.seconds, "planning_seconds": took}


def measured(name: str) -> dict[str, float]:
    """What the run takes."""
    problem, arguments = cases()[name]
    start = time.perf_counter()
    run = (
        simdiff.sweep(problem, **arguments) if "axes" in arguments else simdiff.validate(problem, **arguments)
    )
    seconds = time.perf_counter() - start
    return {"trials": len(run.trials), "seconds": seconds}


def apart(kind: str, name: str) -> dict[str, float]:
    """One of the two in a process of its own."""
    environment = os.environ | {"SIMDIFF_COMPILATION_CACHE": "off"}
    words = [sys.executable, str(Path(__file__)), kind, name]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(names: list[str]) -> None:
    """Plan, run, compare, store case by case."""
    for name in names or cases():
        plan, run = apart("expected", name), apart("measured", name)
        row = {"case": name, "trials": run["trials"], "expected trials": plan["trials"]}
        row |= {"seconds": run["seconds"], "expected seconds": plan["seconds"]}
        row |= {"ratio of seconds": run["seconds"] / plan["seconds"]}
        row |= {"seconds of planning": plan["planning_seconds"]}
        new, path = pd.DataFrame([row]), RESULTS / "plans.csv"
        old = pd.read_csv(path) if path.exists() else new.iloc[:0]
        whole = pd.concat([frame for frame in (old[old["case"] != name], new) if len(frame)])
        store("plans", whole, facts("python benchmarks/plans.py", seed=0))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("expected", "measured"):
        print(json.dumps({"expected": expected, "measured": measured}[sys.argv[1]](sys.argv[2])))
    else:
        main(sys.argv[1:])
