"""Networks on patches of photographs against Gaussian theory, and against theory that knows their contrast.

    python benchmarks/patch_radii.py

Linear denoisers and random features (tanh) on 8 x 8 patches (d = 64, nothing is extrapolated). Gaussian
theory has the patches' covariance, `mixed_gaussians` also the law of their radii x^T Sigma^-1 x / d,
neither has a parameter to fit. Neither is exact: deviations are what is measured. Stored in
results/patch_radii.*.
"""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import Patches

LAW = Patches(side=8)
MODELS = {"linear": simdiff.models.Linear(), "tanh": simdiff.models.RandomFeatures(1.0, activation="tanh")}
DRAWS, RATIOS, RIDGE, TIME, TRIALS = (1, 4), (1.0, 4.0, 16.0), 0.02, 0.1, 100
METRICS = ("test", "train", "memorization")


def rows(model: str, m: int, psi_n: float) -> list[dict[str, Any]]:
    """Both deviations of every metric at one point."""
    trainer = simdiff.trainers.Ridge(RIDGE)
    problem = simdiff.DenoisingScoreMatching(LAW, MODELS[model], trainer, psi_n, m, TIME)
    twin = simdiff.DenoisingScoreMatching(LAW.gaussian_twin(), MODELS[model], trainer, psi_n, m, TIME)
    own, gaussian = simdiff.predict(problem, theory="mixed_gaussians"), simdiff.predict(twin)
    trials = simdiff.simulate(problem, trials=TRIALS, seed=0)
    found = []
    for name in METRICS:
        mean, error = trials[name].mean(), trials[name].std() / TRIALS**0.5
        columns = {"model": model, "m": m, "psi_n": psi_n, "metric": name, "theory": own[name]}
        found.append(
            columns
            | {"gaussian": gaussian[name], "estimate": mean, "stderr": error}
            | {"deviation": mean / own[name] - 1.0, "deviation_gaussian": mean / gaussian[name] - 1.0}
        )
    return found


if __name__ == "__main__":
    points = itertools.product(MODELS, DRAWS, RATIOS)
    table = pd.DataFrame([row for point in points for row in rows(*point)])
    settings = {"d": LAW.only_size, "ridge": RIDGE, "t": TIME, "trials": TRIALS, "seed": 0}
    store("patch_radii", table, facts("python benchmarks/patch_radii.py", **settings))
