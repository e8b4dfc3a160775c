"""A slightly wrong theory of the tanh manifold, nu_*^2 replaced by 0, must be rejected; the right one not.

    python benchmarks/manifold_twin.py

At the default precision. The wrong theory takes x for nu_1 M xi / sqrt(D), which leaves out 7% of its
variance. Stored in results/manifold_twin.*.
"""

from __future__ import annotations

import dataclasses
import types

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import HiddenManifold
from simdiff.theory.denoising.gaussian_equivalence import predict

PROBLEM = simdiff.DenoisingScoreMatching(
    data=HiddenManifold(0.5, "tanh"),
    model=simdiff.models.RandomFeatures(1.0, "tanh"),
    trainer=simdiff.trainers.Ridge(1e-2),
    psi_n=2.0,
    m=4,
    t=0.1,
)


def without_residual(problem: simdiff.DenoisingScoreMatching) -> dict[str, float]:
    """The built-in theory with nu_*^2 = 0: its eigenvalues less the smallest of them, which is nu_*^2."""
    values, weights = problem.data.spectrum()
    data = types.SimpleNamespace(spectrum=lambda: (values - values.min(), weights))
    described = {name: getattr(problem, name) for name in ("model", "trainer", "psi_n", "m", "t")}
    kept = [m for m in problem.metrics if m.name in ("test", "train", "memorization", "objective")]
    return predict(types.SimpleNamespace(data=data, metrics=kept, **described))


if __name__ == "__main__":
    tables = []
    for name, theory in (("built in", None), ("nu_*^2 = 0", without_residual)):
        verdict = simdiff.validate(dataclasses.replace(PROBLEM), theory, sizes=(64, 128, 256))
        table = verdict.table[verdict.table["theory"].notna()]
        tables.append(table.assign(rule=name, agree=str(verdict.agree)))
        print(name, verdict.agree, flush=True)
    found = pd.concat(tables)
    shown = ["rule", "metric", "theory", "estimate", "stderr", "p_adjusted", "verdict", "trials", "agree"]
    store("manifold_twin", found[shown], facts("python benchmarks/manifold_twin.py", seed=0))
