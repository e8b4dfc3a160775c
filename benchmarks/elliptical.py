"""Elliptical data against their theory at twelve points, and against Gaussian theory.

    python benchmarks/elliptical.py

Two radii and Student's radius on a power-law spectrum, linear denoisers and random features (tanh), m in
{1, 4, infinity}; the rule is that of `twins`, the criterion 0.5%. Stored in results/elliptical.*.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from twins import run_points

import simdiff
from simdiff.data import Elliptical

LAWS = {
    "two radii": Elliptical(exponent=0.5, radius=[0.6, 1.2]),
    "Student, df 10": Elliptical(exponent=0.5, df=10.0),
}
MODELS = {"linear": simdiff.models.Linear(), "tanh": simdiff.models.RandomFeatures(1.0, activation="tanh")}
DRAWS = (1, 4, math.inf)


def points() -> Iterator[tuple[dict[str, Any], Any]]:
    """(columns, problem)."""
    for (data, law), (model, network), m in itertools.product(LAWS.items(), MODELS.items(), DRAWS):
        columns = {"data": data, "model": model, "m": m, "psi_n": 2.0, "ridge": 0.02, "t": 0.2}
        trainer = simdiff.trainers.Ridge(0.02)
        yield columns, simdiff.DenoisingScoreMatching(law, network, trainer, 2.0, m, 0.2)


if __name__ == "__main__":
    run_points("elliptical", points(), within=0.005)
