"""Training time: theory of gradient flow against extrapolated simulation at 12 points and 8 times each.

    python benchmarks/flow_table.py            # all points
    python benchmarks/flow_table.py 0 4        # points 0 to 3 only

Isotropic, two-level and manifold data, p below and above n m, m in {1, 3, 4, 10, inf}, ridge 0 and 1e-3. The
rule is fixed before any trial: precision 0.01 at alpha 0.05, Holm over all points, times and metrics. Trials
are kept in runs/flow_table; results/flow_table.* holds the outcome.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from tables import run_table

import simdiff
from simdiff.data import Gaussian, HiddenManifold, LinearManifold

ISOTROPIC, LEVELS = Gaussian(), Gaussian(([0.4, 1.6], [0.5, 0.5]))
TIMES = tuple(float(f"{tau:.3g}") for tau in np.geomspace(0.1, 1e5, 8))

# data, activation, psi_n, psi_p, m, t, ridge
POINTS = [
    (ISOTROPIC, "tanh", 1.0, 0.5, 1, 0.1, 0.0),
    (ISOTROPIC, "tanh", 1.0, 2.0, 4, 0.1, 0.0),
    (ISOTROPIC, "relu", 0.5, 2.0, 1, 0.3, 0.0),
    (ISOTROPIC, "erf", 2.0, 1.0, 3, 0.05, 1e-3),
    (ISOTROPIC, "tanh", 0.5, 1.0, math.inf, 0.2, 0.0),
    (LEVELS, "tanh", 1.0, 1.0, 10, 0.1, 0.0),
    (LEVELS, "relu", 1.0, 3.0, 1, 0.5, 1e-3),
    (LinearManifold(0.5), "relu", 1.0, 1.0, 4, 0.1, 0.0),
    (LinearManifold(0.25, isometric=True), "tanh", 0.5, 1.0, 1, 0.1, 0.0),
    (LinearManifold(2.0), "tanh", 2.0, 1.0, 1, 0.3, 0.0),
    (HiddenManifold(0.5, "tanh"), "relu", 1.0, 1.0, 4, 0.1, 0.0),
    (HiddenManifold(0.5, "relu"), "tanh", 0.5, 1.5, 1, 0.3, 0.0),
]
RUN_SETTINGS = {"sizes": (64, 128, 256), "precision": 0.01, "alpha": 0.05, "seed": 0, "max_trials": 1024}


def problem(point: tuple) -> simdiff.DenoisingScoreMatching:
    """The problem of one row of POINTS."""
    law, activation, psi_n, psi_p, m, t, ridge = point
    return simdiff.DenoisingScoreMatching(
        data=law,
        model=simdiff.models.RandomFeatures(psi_p, activation),
        trainer=simdiff.trainers.GradientFlow(TIMES, ridge),
        psi_n=psi_n,
        m=m,
        t=t,
    )


if __name__ == "__main__":
    chosen = [int(word) for word in sys.argv[1:]]
    run_table("flow_table", [problem(p) for p in POINTS], RUN_SETTINGS, within=0.01, chosen=chosen)
