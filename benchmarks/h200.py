"""The table of a large GPU: speed and precision of Ridge at d = 1000 to 4000, and a sweep against the clock.

    python benchmarks/h200.py                # needs a GPU; every part
    python benchmarks/h200.py ridge sweep    # some parts: ridge, sweep
    python benchmarks/h200.py --small        # the same code at small sizes, on any device

ridge   psi_p = 2, psi_n = 2, m = 1, ridge 1e-3, tanh: useful flops per second of a trial (its `cost`:
        a symmetric product counted once) over the rate of a general product in the type of the products,
        measured before and after; and the numerical error, the deviation of test and train errors from
        the same trials in float64, over their statistical spread (standard deviation over trials).
sweep   24 points of psi_p at d = 1000 alone, not extrapolated: trials are added until the test error's
        standard error is 0.2% of it; seconds from start to end, compilation included.

Products run in full float32 ("float32" matmul precision), never in TF32. Stored in results/h200_*.csv.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time

import jax
import numpy as np
import pandas as pd
from common import engine_seconds, facts, peak, store

import simdiff

SIZES, SMALL_SIZES = (1000, 2000, 3000, 4000), (100, 200)
TRIALS = 4
GOAL = 0.002
MOST = 256


def point(psi_p: float) -> simdiff.DenoisingScoreMatching:
    """A point with m = 1."""
    return simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(psi_p), psi_n=2.0, m=1, t=0.1)


def numerical_error(problem: simdiff.DenoisingScoreMatching, d: int) -> float:
    """The largest deviation from float64 over the spread between trials, of test and train."""
    narrow = simdiff.simulate(problem, d=d, trials=TRIALS)
    wide = simdiff.simulate(problem, d=d, trials=TRIALS, dtype="float64")
    off = [float(np.max(np.abs(narrow[k] - wide[k])) / wide[k].std(ddof=1)) for k in ("test", "train")]
    return max(off)


def ridge(sizes: tuple[int, ...], small: bool) -> None:
    """One row per size."""
    rows = []
    for d in sizes:
        at = point(2.0)
        kind, side = "float64" if at.arithmetic() == "float64" else "float32", 1000 if small else 8192
        before = peak(kind, side)
        each = engine_seconds(at, d, 3)
        top, rate = statistics.mean([before, peak(kind, side)]), at.cost(d) / each
        error = numerical_error(at, d)
        rows.append((d, 2 * d, at.arithmetic(), each, rate / 1e12, top / 1e12, rate / top, error))
        print(rows[-1], flush=True)
    columns = ["d", "p", "dtype", "trial_s", "useful_tflops", "peak_tflops", "share", "error_over_spread"]
    about = facts("python benchmarks/h200.py ridge", psi_p=2, psi_n=2, m=1)
    store("h200_ridge" + "_small" * small, pd.DataFrame(rows, columns=columns), about)


def sweep(d: int, points: int, goal: float, small: bool) -> None:
    """Learning curve in psi_p, each point until its test error is known to `goal`."""
    start, rows = time.perf_counter(), []
    for psi_p in np.geomspace(0.25, 6.0, points):
        at, trials, known = point(round(float(psi_p), 3)), 8, math.inf
        while True:
            values = simdiff.simulate(at, d=d, trials=trials)["test"]
            known = float(values.std(ddof=1) / math.sqrt(trials) / values.mean())
            if known <= goal or trials >= MOST:
                break
            trials = min(MOST, math.ceil(1.1 * trials * (known / goal) ** 2))
        theory = simdiff.predict(at, d=d)["test"]
        rows.append((psi_p, trials, values.mean(), known, theory, time.perf_counter() - start))
        print(rows[-1], flush=True)
    columns = ["psi_p", "trials", "test", "relative_error", "theory", "seconds_so_far"]
    about = facts("python benchmarks/h200.py sweep", d=d, goal=goal, seconds=rows[-1][-1])
    store("h200_sweep" + "_small" * small, pd.DataFrame(rows, columns=columns), about)


def main(argv: list[str]) -> int:
    """Parse, check that there is a GPU, run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="ridge, sweep; default: both")
    parser.add_argument("--small", action="store_true", help="small sizes, on any device")
    chosen = parser.parse_args(argv)
    if wrong := set(chosen.parts) - {"ridge", "sweep"}:
        parser.error(f"no part {sorted(wrong)}; there are ridge and sweep")
    if not chosen.small and jax.local_devices()[0].platform != "gpu":
        print("h200: JAX sees no GPU here; install the extra `cuda` on one, or try --small", file=sys.stderr)
        return 2
    parts = chosen.parts or ["ridge", "sweep"]
    if "ridge" in parts:
        ridge(SMALL_SIZES if chosen.small else SIZES, chosen.small)
    if "sweep" in parts:
        sweep(*((64, 4, 0.01) if chosen.small else (1000, 24, GOAL)), chosen.small)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
