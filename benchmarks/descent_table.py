"""Gradient descent by optax on the exact path: plain SGD on all pairs at 5 settings.

    python benchmarks/descent_table.py

Theory is that of descent with the same step (0.2 to 0.5 of the longest stable one, or less); recorded at 5
log-spaced steps. No activation has a mean: that gives U an eigenvalue that grows with d, so that descent
with any fixed step diverges at large d (ReLU with step 0.2 did, at d = 48). Sizes 48, 96, 192, precision
0.01 at alpha 0.05, Holm over all. Stored in results/descent_table.*.
"""

from __future__ import annotations

import math
import sys

from tables import run_table

import simdiff
from simdiff.data import Gaussian, LinearManifold

# data, activation, psi_n, psi_p, m, t, learning rate
POINTS = [
    (Gaussian(), "tanh", 1.0, 1.0, 2, 0.1, 0.1),
    (Gaussian(), "sin", 1.0, 2.0, 1, 0.3, 0.2),
    (Gaussian(([0.4, 1.6], [0.5, 0.5])), "tanh", 0.5, 1.0, 4, 0.2, 0.3),
    (LinearManifold(0.5), "tanh", 1.0, 1.0, 1, 0.1, 0.2),
    (Gaussian(), "erf", 2.0, 0.5, math.inf, 0.2, 0.2),
]
RUN_SETTINGS = {"sizes": (48, 96, 192), "precision": 0.01, "alpha": 0.05, "seed": 0, "max_trials": 1024}


def problem(point: tuple) -> simdiff.DenoisingScoreMatching:
    """The problem of one row of POINTS."""
    law, activation, psi_n, psi_p, m, t, rate = point
    return simdiff.DenoisingScoreMatching(
        data=law,
        model=simdiff.models.RandomFeatures(psi_p, activation),
        trainer=simdiff.trainers.Optax("sgd", learning_rate=rate, steps=1000, records=5),
        psi_n=psi_n,
        m=m,
        t=t,
    )


if __name__ == "__main__":
    chosen = [int(word) for word in sys.argv[1:]]
    run_table("descent_table", [problem(p) for p in POINTS], RUN_SETTINGS, within=0.01, chosen=chosen)
