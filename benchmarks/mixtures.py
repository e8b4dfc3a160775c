"""Errors of every class on Gaussian mixtures against their theory, at eight points.

    python benchmarks/mixtures.py

Two symmetric, two unlike and unbalanced, and three classes with means of norm sqrt(d); linear denoisers and
random features (tanh, ReLU); the rule is that of `twins`, the criterion 1%. Stored in results/mixtures.*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from twins import run_points

import simdiff
from simdiff.data import GaussianMixture
from simdiff.models import Linear, RandomFeatures

SYMMETRIC = GaussianMixture(1.0, 0.5)
UNLIKE = GaussianMixture(1.0, (0.4, 1.5), (0.5, 0.5))
UNBALANCED = GaussianMixture(1.0, (0.4, 1.5), (0.25, 0.75))
THREE = GaussianMixture((0.9, 0.0, -0.6), (0.5, 1.0, ((0.4, 1.6), (0.5, 0.5))), (0.3, 0.3, 0.4))
TANH, RELU = RandomFeatures(1.0, activation="tanh"), RandomFeatures(1.5, activation="relu")

# name, law, model, m
POINTS = [
    ("symmetric", SYMMETRIC, TANH, 1),
    ("unlike", UNLIKE, Linear(), 1),
    ("unlike", UNLIKE, TANH, 4),
    ("unlike", UNLIKE, RELU, 1),
    ("unbalanced", UNBALANCED, Linear(), math.inf),
    ("unbalanced", UNBALANCED, TANH, math.inf),
    ("three classes", THREE, Linear(), 4),
    ("three classes", THREE, TANH, 1),
]


def points() -> Iterator[tuple[dict[str, Any], Any]]:
    """(columns, problem)."""
    for data, law, model, m in POINTS:
        network = getattr(model, "activation", None)
        name = "linear" if network is None else network.name
        columns = {"data": data, "model": name, "m": m, "psi_n": 2.0, "ridge": 0.02, "t": 0.2}
        trainer = simdiff.trainers.Ridge(0.02)
        yield columns, simdiff.DenoisingScoreMatching(law, model, trainer, 2.0, m, 0.2)


if __name__ == "__main__":
    run_points("mixtures", points(), within=0.01)
