"""Sample complexities confirmed by simulation: the score error at the psi_n found is the threshold.

    python benchmarks/sample_complexity.py

tanh features, psi_p = 4, m = 4, t = 0.1, best ridge. `estimate` is the score error extrapolated from 64,
128, 256 at the psi_n found. Stored in results/sample_complexity.*.
"""

from __future__ import annotations

import dataclasses

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import HiddenManifold, LinearManifold

CASES = [(LinearManifold(0.5), 0.6), (LinearManifold(2.0), 0.4), (HiddenManifold(0.5, "tanh"), 0.6)]

if __name__ == "__main__":
    rows = []
    for law, threshold in CASES:
        problem = simdiff.DenoisingScoreMatching(
            data=law, model=simdiff.models.RandomFeatures(4.0), m=4, t=0.1
        )
        found = simdiff.sample_complexity(problem, "score", threshold)
        at = dataclasses.replace(problem, psi_n=found.psi_n, trainer=simdiff.trainers.Ridge(found.ridge))
        verdict = simdiff.validate(at, sizes=(64, 128, 256), precision=0.02, max_trials=256)
        score = verdict.table[verdict.table["metric"] == "score"].iloc[0]
        case = {"data": type(law).__name__, "psi_D": law.psi_D, "threshold": threshold}
        rows.append(case | {"psi_n": found.psi_n, "ridge": found.ridge} | dict(score[["estimate", "stderr"]]))
        print(rows[-1], flush=True)
    store("sample_complexity", pd.DataFrame(rows), facts("python benchmarks/sample_complexity.py", seed=0))
