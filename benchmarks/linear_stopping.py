"""The best stopping time of linear diffusion models against the best ridge, from theory.

    python benchmarks/linear_stopping.py

Power law 1 at d = 200, reverse SDE from time 5, losses at t = 0.1; N/d from 0.25 to 4; for the test loss and
both divergences. `gain` is how much worse the best ridge is than the best time. Stored in
results/linear_stopping.csv.
"""

from __future__ import annotations

import dataclasses
import itertools

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import PowerLaw
from simdiff.trainers import GradientFlow

METRICS = ("test", "kl_sampled_target", "kl_target_sampled")


def row(psi_n: float, metric: str) -> dict[str, object]:
    """Best time and best ridge for one metric."""
    problem = simdiff.LinearSampling(PowerLaw(1.0, 200), GradientFlow((1.0,)), psi_n=psi_n, samples=0)
    found = simdiff.best_stopping(problem, metric)
    return {"psi_n": psi_n, **dataclasses.asdict(found), "gain": found.gain}


if __name__ == "__main__":
    table = pd.DataFrame([row(*case) for case in itertools.product((0.25, 0.5, 1.0, 2.0, 4.0), METRICS)])
    store("linear_stopping", table, facts("python benchmarks/linear_stopping.py"))
