"""Useful flops of whole trials as a share of the matrix-product rate measured in the same run.

    python benchmarks/peak_share.py          # or: python benchmarks/speed.py peak

psi_p = 4, psi_n = 2, tanh. Ridge and flow have m = 8 noise draws, Optax trains 60 steps on 2 d pairs with
fresh noise. What counts as useful, whatever is done:

Ridge   the problem's `cost`: features, the Gram matrix as a symmetric product (N p^2), its right-hand side,
        Cholesky p^3/3, two triangular solves, the errors. Not counted: drawing normals, tanh, padding.
flow    the same with 9 p^3 for an eigendecomposition with vectors (the count of Golub and Van Loan for the
        symmetric QR method) and 4 p^3 for each of the two quadratic forms along the path, no Cholesky.
Optax   6 n d p a step: three products. The time is that of a longer run minus that of one step, so that
        metrics and the exact noise average they need are outside.

The rate is that of a general product of side 2000 in the type that does most of the work (flow: the type
of its eigendecomposition, which never reaches it). Stored in results/speed_peak.csv.
"""

from __future__ import annotations

import statistics

import pandas as pd
from common import engine_seconds, facts, peak, store
from training_speed import ours

import simdiff

RIDGE_SIZES, FLOW_SIZES, OPTAX_SIZES = (200, 400, 600, 800), (100, 200, 400), (100, 200, 400, 800)
TIMES = (1.0, 10.0, 100.0)


def problem(
    trainer: simdiff.trainers.Ridge | simdiff.trainers.GradientFlow,
) -> simdiff.DenoisingScoreMatching:
    """The point of this table."""
    model = simdiff.models.RandomFeatures(4.0)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=8, t=0.1)


def flow_flops(d: int) -> float:
    """Those of Ridge without its solve, with an eigendecomposition and two forms instead."""
    p = 4 * d
    return problem(simdiff.trainers.Ridge(1e-3)).cost(d) - (p**3 / 3 + 2 * p**2 * d) + 17.0 * p**3


def measured(name: str, d: int) -> tuple[str, float, float]:
    """(arithmetic, useful flops, seconds) of a trial, or of a step."""
    if name == "Optax":
        return "float32", 6.0 * 2 * d * d * 4 * d, 1 / ours(d, max(10, round(2.4e6 / d**1.5 / 20)))
    trainer = simdiff.trainers.Ridge(1e-3) if name == "Ridge" else simdiff.trainers.GradientFlow(TIMES)
    at = problem(trainer)
    return at.arithmetic(), at.cost(d) if name == "Ridge" else flow_flops(d), engine_seconds(at, d, 3)


def row(name: str, d: int) -> dict[str, object]:
    """One line: the rate is measured before and after."""
    before = {kind: peak(kind, 2000) for kind in ("float32", "float64")}
    arithmetic, flops, spent = measured(name, d)
    kind = "float64" if arithmetic == "float64" or (name == "flow" and arithmetic == "mixed") else "float32"
    top = statistics.mean([before[kind], peak(kind, 2000)])
    found = {"trainer": name, "d": d, "p": 4 * d, "dtype": arithmetic, "seconds": spent}
    return found | {
        "useful_gflops": flops / spent / 1e9,
        "peak_gflops": top / 1e9,
        "share": flops / spent / top,
    }


def main(sizes: dict[str, tuple[int, ...]] | None = None) -> None:
    """Measure and store."""
    rows = []
    for name, every in (sizes or {"Ridge": RIDGE_SIZES, "flow": FLOW_SIZES, "Optax": OPTAX_SIZES}).items():
        for d in every:
            rows.append(row(name, d))
            print(rows[-1], flush=True)
    about = facts("python benchmarks/speed.py peak", psi_p=4, psi_n=2, m=8)
    store("speed_peak", pd.DataFrame(rows), about)


if __name__ == "__main__":
    main()
