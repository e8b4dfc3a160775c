"""Two cores as one device with two threads, and as two CPU devices: the same trials, whole runs.

    python benchmarks/device_scaling.py          # or: python benchmarks/speed.py devices

Each run is a process of its own that simulates a fixed number of trials after compiling; the two ways take
turns. `ratio` is the rate with one device per core over that with one device: spreading trials over devices
does not hurt where it is about 1 or more. Stored in results/speed_devices.csv.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pandas as pd
from common import facts, store

import simdiff

CASES = (("ridge", 100, 48), ("ridge", 400, 8), ("flow", 100, 32), ("optax", 100, 8))
TURNS = 2


def problem(name: str) -> simdiff.DenoisingScoreMatching:
    """psi_p = 4, psi_n = 2, m = 4; Optax takes 500 steps of fresh noise."""
    trainers = {
        "ridge": simdiff.trainers.Ridge(1e-3),
        "flow": simdiff.trainers.GradientFlow((1.0, 10.0)),
        "optax": simdiff.trainers.Optax("sgd", 0.1, 500, batch=200, noise="fresh", records=1),
    }
    m, model = float("inf") if name == "optax" else 4, simdiff.models.RandomFeatures(4.0)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainers[name], psi_n=2.0, m=m, t=0.1)


def child(name: str, d: int, trials: int) -> None:
    """Print seconds of the trials once they are compiled, and the mean test error."""
    at = problem(name)
    simdiff.simulate(at, d=d, trials=1)
    start = time.perf_counter()
    frame = simdiff.simulate(at, d=d, trials=trials)
    print(time.perf_counter() - start, frame["test"].mean())


def spent(name: str, d: int, trials: int, devices: int) -> tuple[float, float]:
    """(seconds, mean test error) in a process that sees so many CPU devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    words = [sys.executable, __file__, "child", name, str(d), str(trials)]
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    seconds, test = map(float, done.stdout.split())
    return seconds, test


def main(cases: tuple[tuple[str, int, int], ...] = CASES) -> None:
    """Measure and store."""
    cores = os.cpu_count() or 1
    rows = []
    for name, d, trials in cases:
        runs = [(spent(name, d, trials, 1), spent(name, d, trials, cores)) for _ in range(TURNS)]
        one, every = (min(run[side][0] for run in runs) for side in (0, 1))
        off = abs(runs[0][1][1] / runs[0][0][1] - 1)
        rows.append((name, d, trials, cores, one, every, one / every, off))
        print(rows[-1], flush=True)
    columns = [
        "trainer",
        "d",
        "trials",
        "devices",
        "one_device_s",
        "device_a_core_s",
        "ratio",
        "test_differs_by",
    ]
    store("speed_devices", pd.DataFrame(rows, columns=columns), facts("python benchmarks/speed.py devices"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
