"""Are the errors of derived numbers right on real trials? Two theories, a paired difference, a peak.

    python benchmarks/derived_calibration.py [seeds]       # default 200

Each seed is a sweep of random features over psi_p across the peak of the test error, judged against the right
theory and against one that is 5% off; the position of the peak comes from its limits, and the difference of
two models from trials with common random numbers. Stored: results/derived_calibration.csv, one row per
statement: how often it is rejected at 5%, and the standard deviation of (value - theory) / (standard error).
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
from common import facts, store

import simdiff

PSI_P = [0.4, 0.8, 1.6]
SETTINGS: dict[str, Any] = {"sizes": (16, 24, 36, 54), "precision": 0.1, "max_trials": 64}
ALPHA = 0.05


def problem(psi_p: float) -> simdiff.DenoisingScoreMatching:
    """A small ridge, so that the test error peaks near n = p."""
    model, trainer = simdiff.models.RandomFeatures(psi_p), simdiff.trainers.Ridge(0.03)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=1.0, m=1, t=0.5)


def off(given: simdiff.DenoisingScoreMatching) -> dict[str, float]:
    """The theory with 5% too much of everything."""
    return {name: 1.05 * value for name, value in simdiff.predict(given).items()}


def two_theories(run: simdiff.Run) -> list[dict[str, Any]]:
    """Whether each is rejected anywhere: the right one by itself, the wrong one beside it."""
    table = run.compare(off).table
    wrong = table[table["theory_name"] != "gaussian_equivalence"]
    return [
        {"statement": "right theory", "rejected": bool((run.table["verdict"] == "disagree").any())},
        {"statement": "theory 5% off", "rejected": bool((wrong["verdict"] == "disagree").any())},
    ]


def peak(run: simdiff.Run) -> list[dict[str, Any]]:
    """Where the test error is largest, against the same parabola through the theory."""
    found = run.peak("test", "model.psi_p", log=True)
    row = {"statement": "peak position", "rejected": found.p_value < ALPHA}
    return [row | {"pull": (found.value - found.theory) / found.stderr}] if not found.reason else []


def paired(seed: int) -> list[dict[str, Any]]:
    """Test and train error at psi_p = 1.6 less those at 0.8, against the difference of the theories."""
    rows = []
    apart = simdiff.difference(problem(0.8), problem(1.6), seed=seed, **SETTINGS)
    for row in apart[apart["metric"].isin(["test", "train"])].itertuples():
        pull = (row.difference - row.theory) / row.stderr
        rows.append({"statement": f"paired difference of {row.metric}", "pull": pull})
        rows[-1] |= {"rejected": row.verdict == "disagree"}
        rows.append({"statement": f"no difference of {row.metric}", "rejected": row.p_value < ALPHA})
    return rows


def one_seed(seed: int) -> list[dict[str, Any]]:
    """One row per statement: rejected or not, and its pull where it is a number."""
    run = simdiff.sweep(problem(PSI_P[0]), {"model.psi_p": PSI_P}, seed=seed, **SETTINGS)
    return [*two_theories(run), *peak(run), *paired(seed)]


def main(seeds: int) -> None:
    """Run, count, store."""
    rows = []
    for seed in range(seeds):
        rows += one_seed(seed)
        print(seed, flush=True)
    table = pd.DataFrame(rows).groupby("statement", sort=False)
    found = pd.DataFrame({"seeds": table.size(), "rejected": table["rejected"].mean()})
    found["sd of pulls"] = table["pull"].std(ddof=1)
    about = facts("python benchmarks/derived_calibration.py", seed=0, seeds=seeds, settings=SETTINGS)
    store("derived_calibration", found.reset_index(), about)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 200)
