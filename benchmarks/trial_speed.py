"""Seconds a trial, simdiff against the plain NumPy script, side by side in one run.

    python benchmarks/trial_speed.py          # or: python benchmarks/speed.py trials

Programs are compiled before the clock starts; both run the same problem (default data, tanh, psi_n = 2,
t = 0.1, ridge 1e-3). NumPy at m = inf takes draws that bring its errors within a quarter of a 1% precision
of the limit; its time there is continued from 64 and 128 draws. Medians; stored as results/speed_trials.csv.
"""

from __future__ import annotations

import math

import pandas as pd
from common import engine_seconds, facts, store
from speed import numpy_at_infinity, point, timed


def ours(d: int, psi_p: float, m: float) -> float:
    """Median seconds per trial, in a batch as the engine runs it."""
    return engine_seconds(point(psi_p, m), d)


def main() -> None:
    """Time and store."""
    rows = []
    for d in (64, 256):
        for psi_p in (1.0, 4.0):
            for m in (1, 4, math.inf):
                mine = ours(d, psi_p, m)
                plain = numpy_at_infinity(d, psi_p, 0.01) if math.isinf(m) else timed(d, psi_p, m)[0]
                rows.append((d, psi_p, m, mine, plain, plain / mine))
                print(rows[-1], flush=True)
    columns = ["d", "psi_p", "m", "simdiff_s", "numpy_s", "ratio"]
    store("speed_trials", pd.DataFrame(rows, columns=columns), facts("python benchmarks/trial_speed.py"))


if __name__ == "__main__":
    main()
