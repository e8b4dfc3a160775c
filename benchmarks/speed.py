"""Speed and memory against the plain NumPy script and against this machine's own peak.

    python benchmarks/speed.py [sweep] [point] [theory] [memory]      # default: all four

sweep   the default psi_p sweep (experiment=gaussian_learning_curve), compilation included and the compilation
        cache empty, against benchmarks/numpy_script.py doing the same numbers of trials. NumPy's time is its
        median trial time at every (point, size), times the number of trials: running it whole would take
        hours at m = inf, where a script needs many draws (see `draws_for_infinity`).
point   one large point: useful flops a second of a whole trial (a symmetric product counted once) as a share
        of the matrix-product rate measured in the same run.
theory  points a second in a map of learning curves.
memory  peak memory of a process that runs one trial with n m = 10^6 rows at p = 2000.

Results go to results/speed_*.csv with device, versions and commit in the .json beside them.
"""

from __future__ import annotations

import dataclasses
import math
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import numpy_script
import pandas as pd
from common import RESULTS, facts, peak, seconds, store

import simdiff
from simdiff.engine import prepare, trial_keys
from simdiff.store import RunFolder
from simdiff.theory import load

COMMAND = "python benchmarks/speed.py"
SHARE = 0.25
"""NumPy's finite m stands for m = inf when the errors are within this share of the asked precision."""


def point(psi_p: float, m: float, psi_n: float = 2.0) -> simdiff.DenoisingScoreMatching:
    """A point of the default sweep."""
    return simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(psi_p), psi_n=psi_n, m=m, t=0.1)


def draws_for_infinity(psi_p: float, precision: float) -> int:
    """The smallest power of two of draws whose test and train errors are near enough to m = inf."""
    limit = simdiff.predict(point(psi_p, math.inf))
    for m in (2**k for k in range(2, 16)):
        values = simdiff.predict(point(psi_p, m))
        off = max(abs(values[name] / limit[name] - 1) for name in ("test", "train", "memorization"))
        if off < SHARE * precision:
            return m
    raise RuntimeError(f"no m up to 2^15 is near m = inf at psi_p = {psi_p}")


def numpy_seconds(d: int, psi_p: float, m: float, precision: float) -> float:
    """Median NumPy trial time. Large m is timed at 32 and 64 draws and continued along the line."""
    rng = np.random.default_rng(0)

    def timed(draws: int) -> float:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            numpy_script.trial(d, 2.0, psi_p, draws, 0.1, 1e-3, rng)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    if not math.isinf(m):
        return timed(int(m))
    needed, low, high = draws_for_infinity(psi_p, precision), timed(32), timed(64)
    return high + (high - low) / 32 * (needed - 64)


def sweep() -> None:
    """The default sweep in a process of its own, then NumPy trial by trial."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "simdiff.cli", "run", "experiment=gaussian_learning_curve"]
        start = time.perf_counter()
        subprocess.run([*command, f"out={folder}/run"], check=True, stdout=subprocess.DEVNULL)
        ours = time.perf_counter() - start
        run = RunFolder(f"{folder}/run", create=False)
        rows, summary = run.trials(), run.read_table("summary")
        kept = RESULTS / "gaussian_learning_curve"
        kept.mkdir(parents=True, exist_ok=True)
        for name in ("figures/curves.png", "figures/deviations.png", "summary.csv"):
            shutil.copy(run.path / name, kept)
    parameters = summary.drop_duplicates("point").set_index("point")
    precision = 0.01
    table = []
    for (digest, d), part in rows.groupby(["point", "d"]):
        psi_p, m = float(parameters.loc[digest, "model.psi_p"]), float(parameters.loc[digest, "m"])
        each = numpy_seconds(int(d), psi_p, m, precision)
        inside = part["duration"].sum()
        table.append((m, psi_p, d, len(part), inside / len(part), each, each * len(part), inside))
        print(table[-1], flush=True)
    columns = ["m", "psi_p", "d", "trials", "simdiff_trial_s", "numpy_trial_s", "numpy_s", "simdiff_s"]
    frame = pd.DataFrame(table, columns=columns).sort_values(["m", "psi_p", "d"])
    finite = frame[np.isfinite(frame["m"])]
    totals = {
        "simdiff, whole command (s)": round(ours, 1),
        "simdiff, in trials (s)": round(float(frame["simdiff_s"].sum()), 1),
        "NumPy, all (s)": round(float(frame["numpy_s"].sum()), 1),
        "NumPy, finite m only (s)": round(float(finite["numpy_s"].sum()), 1),
        "ratio, all, compilation included": round(float(frame["numpy_s"].sum()) / ours, 2),
        "ratio, finite m, trials only": round(float(finite["numpy_s"].sum() / finite["simdiff_s"].sum()), 2),
    }
    store("speed_sweep", frame, facts(f"{COMMAND} sweep", totals=totals))
    print(totals)


def large_point() -> None:
    """d = 400, psi_p = 4, m = 8: flops of a trial against the product rate just before and after."""
    table = []
    for d in (200, 400, 800):
        problem = point(4.0, 8)
        before = peak("float32")
        compiled = prepare(problem, d, 0)
        _, inputs = problem.kernel(d)
        count = simdiff.engine.batch_size(problem, d)
        keys = trial_keys(problem, d, 0, range(count))
        inputs = jax.tree.map(jax.numpy.asarray, inputs)
        each = seconds(lambda c=compiled, k=keys, i=inputs: c(k, i)["test"]) / count
        rate, top = problem.cost(d) / each, statistics.mean([before, peak("float32")])
        table.append((d, 4 * d, problem.arithmetic(), each, rate / 1e9, top / 1e9, rate / top))
    columns = ["d", "p", "dtype", "trial_s", "useful_gflops", "peak_gflops", "fraction_of_peak"]
    store(
        "speed_point", pd.DataFrame(table, columns=columns), facts(f"{COMMAND} point", psi_p=4, psi_n=2, m=8)
    )


def theory() -> None:
    """A 64 x 64 map over (psi_n, psi_p) at m = 4, after compilation, from problem objects to numbers."""
    axis = np.geomspace(0.1, 20, 64)
    problems = [point(p, 4, n) for n in axis for p in axis]
    many = load(None, problems[0]).many
    each = seconds(lambda: many(problems)) / len(problems)
    table = pd.DataFrame([(len(problems), 1 / each)], columns=["points", "points_per_second"])
    store("speed_theory", table, facts(f"{COMMAND} theory"))


def memory() -> None:
    """One trial with 10^6 training pairs, in a process of its own."""
    lines = subprocess.run(
        [sys.executable, __file__, "memory-child"], check=True, capture_output=True, text=True
    ).stdout.split()
    names = ["rows", "p", "d", "trial_s", "peak_gib", "test"]
    store("speed_memory", pd.DataFrame([map(float, lines)], columns=names), facts(f"{COMMAND} memory"))


def memory_child() -> None:
    """Print rows, p, d, seconds, peak GiB and the test error."""
    problem = dataclasses.replace(point(4.0, 1000), psi_n=2.0)
    frame = simdiff.simulate(problem, d=500, trials=1)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(10**6, 2000, 500, frame["duration"][0], used, frame["test"][0])


if __name__ == "__main__":
    parts = {
        "sweep": sweep,
        "point": large_point,
        "theory": theory,
        "memory": memory,
        "memory-child": memory_child,
    }
    sys.path.insert(0, str(Path(__file__).parent))
    for name in sys.argv[1:] or ["sweep", "point", "theory", "memory"]:
        parts[name]()
