"""Manifold data: theory against extrapolated simulation at 20 points.

    python benchmarks/manifold_table.py            # all points
    python benchmarks/manifold_table.py 0 8        # points 0 to 7 only

Linear, isometric linear, tanh and ReLU manifolds; psi_D in {0.1, 0.5, 2}, m in {1, 4, 16}, t in {0.01, 0.1,
0.5}; tanh and ReLU features. The rule is fixed before any trial: precision 0.01 at alpha 0.05, Holm over
all points and metrics; sizes 80, 160, 320, and twice those at psi_D = 0.1, where corrections go in powers of
1/D = 10/d. Trials are kept in runs/manifold_table; results/manifold_table.* holds the outcome.
"""

from __future__ import annotations

import sys

from tables import run_table

import simdiff
from simdiff.data import HiddenManifold, LinearManifold

# data, activation, psi_n, psi_p, m, t, ridge
POINTS = [
    (LinearManifold(0.1), "tanh", 2.0, 2.0, 4, 0.1, 1e-2),
    (LinearManifold(0.5), "relu", 2.0, 1.0, 1, 0.5, 1e-2),
    (LinearManifold(0.5), "relu", 1.0, 2.0, 4, 0.1, 1e-3),
    (LinearManifold(2.0), "tanh", 2.0, 4.0, 1, 0.1, 1e-2),
    (LinearManifold(2.0), "relu", 0.5, 1.0, 16, 0.5, 1e-3),
    (LinearManifold(0.5), "tanh", 1.0, 1.0, 16, 0.01, 1e-2),
    (LinearManifold(0.1, isometric=True), "relu", 1.0, 2.0, 4, 0.1, 1e-2),
    (LinearManifold(0.5, isometric=True), "tanh", 2.0, 1.0, 1, 0.01, 1e-2),
    (LinearManifold(0.5, isometric=True), "relu", 0.5, 1.0, 16, 0.1, 1e-3),
    (LinearManifold(0.1, isometric=True), "tanh", 2.0, 0.5, 16, 0.5, 1e-3),
    (HiddenManifold(0.1, "tanh"), "relu", 2.0, 2.0, 4, 0.1, 1e-2),
    (HiddenManifold(0.5, "tanh"), "relu", 2.0, 1.0, 1, 0.1, 1e-3),
    (HiddenManifold(0.5, "tanh"), "tanh", 1.0, 2.0, 4, 0.5, 1e-2),
    (HiddenManifold(2.0, "tanh"), "relu", 1.0, 1.0, 16, 0.1, 1e-2),
    (HiddenManifold(0.5, "tanh"), "tanh", 1.0, 1.0, 4, 0.01, 1e-2),
    (HiddenManifold(0.5, "relu"), "tanh", 2.0, 2.0, 4, 0.1, 1e-2),
    (HiddenManifold(0.1, "relu"), "relu", 1.0, 1.0, 1, 0.5, 1e-2),
    (HiddenManifold(2.0, "relu"), "tanh", 2.0, 1.0, 1, 0.1, 1e-3),
    (HiddenManifold(0.5, "relu"), "relu", 0.5, 0.5, 16, 0.5, 1e-3),
    (HiddenManifold(2.0, "relu"), "relu", 1.0, 1.0, 4, 0.01, 1e-2),
]
RUN_SETTINGS = {"precision": 0.01, "alpha": 0.05, "seed": 0, "max_trials": 1024}


def sizes(point: tuple) -> tuple[int, ...]:
    """Sizes at which the latent dimension is some tens."""
    return (160, 320, 640) if point[0].psi_D == 0.1 else (80, 160, 320)


def problem(point: tuple) -> simdiff.DenoisingScoreMatching:
    """The problem of one row of POINTS."""
    law, activation, psi_n, psi_p, m, t, ridge = point
    return simdiff.DenoisingScoreMatching(
        data=law,
        model=simdiff.models.RandomFeatures(psi_p, activation),
        trainer=simdiff.trainers.Ridge(ridge),
        psi_n=psi_n,
        m=m,
        t=t,
    )


if __name__ == "__main__":
    chosen = [int(word) for word in sys.argv[1:]]
    rules = [{**RUN_SETTINGS, "sizes": sizes(p)} for p in POINTS]
    run_table("manifold_table", [problem(p) for p in POINTS], rules, within=0.01, chosen=chosen)
