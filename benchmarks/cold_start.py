"""What a session waits for: imports, help, and a small sweep beside the plain NumPy script.

    python benchmarks/cold_start.py              # medians of five, new processes, one after the other
    python benchmarks/cold_start.py --repeats 1

The sweep is eleven values of psi_p with six trials each at d = 150 (tanh, psi_n = 2, m = 4, ridge 1e-3), from
Python. `numpy` is `numpy_script.py` in float64 on all cores. Of simdiff there are a first process ever (no
program kept), a later process (programs kept by the first), and a second pass in the same process. Whole
processes are timed, from start to exit. Stored in results/cold_start.csv.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEP = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
TRIALS, D = 6, 150
HERE = Path(__file__).parent

NUMPY = f"""
import numpy as np
from numpy_script import trial
for psi_p in {SWEEP}:
    for seed in range({TRIALS}):
        trial({D}, 2.0, psi_p, 4, 0.1, 1e-3, np.random.default_rng(seed))
"""
SIMDIFF = f"""
import time, simdiff
def sweep():
    for psi_p in {SWEEP}:
        model, trainer = simdiff.models.RandomFeatures(psi_p, "tanh"), simdiff.trainers.Ridge(1e-3)
        problem = simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=4)
        simdiff.simulate(problem, {D}, {TRIALS})
sweep()
start = time.perf_counter()
sweep()
print("warm", time.perf_counter() - start)
one = simdiff.DenoisingScoreMatching(psi_n=2.0, m=4)
simdiff.simulate(one, 20, 1)
spent = []
for _ in range(5):
    start = time.perf_counter()
    simdiff.simulate(one, 20, 1)
    spent.append(time.perf_counter() - start)
print("one", sorted(spent)[2])
"""
ONCE = SIMDIFF.partition("start =")[0]
PREDICT = "import simdiff; simdiff.predict(simdiff.DenoisingScoreMatching(psi_n=2.0, m=4))"


def timed(code: str, cache: str) -> tuple[float, str]:
    """(seconds of a new process from start to exit, what it printed)."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": str(HERE)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, done.stdout


def turn() -> dict[str, float]:
    """Every way once, seconds."""
    with tempfile.TemporaryDirectory() as cache:
        found = {
            "import simdiff": timed("import simdiff", cache)[0],
            "import simdiff, jax": timed("import simdiff, jax", cache)[0],
            "simdiff --help": timed("from simdiff.cli.main import main; main(['--help'])", cache)[0],
            "numpy sweep": timed(NUMPY, cache)[0],
            "simdiff sweep, first process ever": timed(ONCE, cache)[0],
            "simdiff sweep, programs kept": timed(ONCE, cache)[0],
            "predict, first process ever": timed(PREDICT, cache)[0],
            "predict, programs kept": timed(PREDICT, cache)[0],
        }
        said = dict(line.split() for line in timed(SIMDIFF, cache)[1].splitlines())
    return found | {
        "simdiff sweep, warm": float(said["warm"]),
        "one trial at d = 20, warm": float(said["one"]),
    }


def main() -> int:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    turns = []
    for _ in range(repeats):
        turns.append(turn())
        print(turns[-1], flush=True)

    import pandas as pd
    from common import facts, store

    medians = {name: statistics.median(each[name] for each in turns) for name in turns[0]}
    yardstick = medians["numpy sweep"]
    rows = [
        {
            "what": name,
            "seconds": spent,
            "numpy_over_it": yardstick / spent if "sweep" in name else float("nan"),
        }
        for name, spent in medians.items()
    ]
    store(
        "cold_start", pd.DataFrame(rows), facts(f"python benchmarks/cold_start.py --repeats {repeats}", d=D)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
