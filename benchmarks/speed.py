"""Speed and memory against the plain NumPy script, a PyTorch loop and this machine's own peak.

    python benchmarks/speed.py [PART ...]      # default: every part, one after the other

sweep     the default psi_p sweep (experiment=gaussian_learning_curve), compiling included, no program kept
          from before (and once more, with the programs of the first time), against
          benchmarks/numpy_script.py at equal precision: its median trial time at every (point, size), times
          our number of trials, times what its test error on fresh rows adds to the variance. Running it
          whole would take hours at m = inf, where a script needs many draws (see `draws_for_infinity`);
          "finite m only" needs no such assumption. Also: what compiled programs that are kept save.
trials    seconds per trial, compiled, against NumPy's: see trial_speed.py.
training  steps per second against a PyTorch loop: see training_speed.py.
peak      useful flops as a share of the product rate, for Ridge, flow and Optax: see peak_share.py.
growth    time against d, n m and p, with fitted exponents: see growth.py.
memory    peak memory against n m and p: see growth.py.
theory    points per second in a map of learning curves.
devices   one CPU device with all threads against one device per core: see device_scaling.py.

Results go to results/speed_*.csv with device, versions and commit in the .json beside them.
"""

from __future__ import annotations

import importlib
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import numpy_script
import pandas as pd
from common import facts, seconds, store

import simdiff
from simdiff.store import RunFolder
from simdiff.theory import load

COMMAND = "python benchmarks/speed.py"
SHARE = 0.25
"""NumPy's finite m stands for m = inf when the errors are within this share of the asked precision."""


MOST_TIMED = 128
"""Draws a sample of the longest NumPy trial that is run."""
FRESH = (4, 16, 64)
"""Fresh rows over d that NumPy's test error may take."""


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


def numpy_seconds(d: int, psi_p: float, m: float, precision: float, variance: float) -> tuple[float, int]:
    """NumPy's seconds for the precision that one of our trials adds, and the fresh rows it takes, over d.

    We know the test error given the network; NumPy measures it on fresh rows. To the `variance` of ours over
    trials that adds its own, so it takes more trials, or more rows: whatever is faster.
    """
    if math.isinf(m):
        return numpy_at_infinity(d, psi_p, precision), 4
    ways = {fresh: timed(d, psi_p, int(m), fresh) for fresh in FRESH}
    each = {fresh: spent * (1 + noise / variance) for fresh, (spent, noise) in ways.items()}
    best = min(each, key=each.__getitem__)
    return each[best], best


def timed(d: int, psi_p: float, m: int, fresh: int = 4) -> tuple[float, float]:
    """Median seconds of a NumPy trial, and the variance that fresh rows give its test error."""
    rng = np.random.default_rng(0)
    times, noise = [], []
    for _ in range(5):
        start = time.perf_counter()
        found = numpy_script.trial(d, 2.0, psi_p, m, 0.1, 1e-3, rng, fresh)
        times.append(time.perf_counter() - start)
        noise.append(found["test_noise"])
    return statistics.median(times), statistics.mean(noise)


def numpy_at_infinity(d: int, psi_p: float, precision: float) -> float:
    """Median NumPy trial time. More than `MOST_TIMED` draws are timed at that and half of it, on a line."""
    needed = draws_for_infinity(psi_p, precision)
    if needed <= MOST_TIMED:
        return timed(d, psi_p, needed)[0]
    low, high = (timed(d, psi_p, draws)[0] for draws in (MOST_TIMED // 2, MOST_TIMED))
    return high + (high - low) / (MOST_TIMED // 2) * (needed - MOST_TIMED)


_CHILD = """
import atexit, sys, jax
spent = []
def listen(event, seconds, **more):
    if event.endswith("backend_compile_duration"):
        spent.append(seconds)
jax.monitoring.register_event_duration_secs_listener(listen)
atexit.register(lambda: print("compiled", len(spent), sum(spent)))
from simdiff.cli import main
sys.exit(main(sys.argv[1:]))
"""


def whole_command(folder: str, name: str) -> tuple[float, int, float]:
    """Seconds of the default sweep as a process of its own, programs compiled in it, and their seconds."""
    words = ["run", "experiment=gaussian_learning_curve"]
    words += [f"compilation_cache={folder}/cache", f"out={folder}/{name}"]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _CHILD, *words], check=True, capture_output=True, text=True)
    spent = time.perf_counter() - start
    _, count, compiling = done.stdout.strip().splitlines()[-1].split()
    return spent, int(count), float(compiling)


def sweep() -> None:
    """The default sweep in a process of its own, then NumPy trial by trial."""
    with tempfile.TemporaryDirectory() as folder:
        ours, programs, compiling = whole_command(folder, "run")
        again, _, _ = whole_command(folder, "again")
        run = RunFolder(f"{folder}/run", create=False)
        rows, summary = run.trials(), run.read_table("summary")
        precision = float(run.rules()[-1]["rule"]["precision"])
    parameters = summary.drop_duplicates("point").set_index("point")
    table = []
    for (digest, d), part in rows.groupby(["point", "d"]):
        psi_p, m = float(parameters.loc[digest, "model.psi_p"]), float(parameters.loc[digest, "m"])
        each, fresh = numpy_seconds(int(d), psi_p, m, precision, float(part["test"].var()))
        inside = part["duration"].sum()
        table.append((m, psi_p, d, len(part), inside / len(part), each, fresh, each * len(part), inside))
        print(table[-1], flush=True)
    columns = ["m", "psi_p", "d", "trials", "simdiff_trial_s", "numpy_trial_s", "fresh", "numpy_s"]
    columns += ["simdiff_s"]
    frame = pd.DataFrame(table, columns=columns).sort_values(["m", "psi_p", "d"])
    totals = _totals(frame, ours) | {
        "simdiff, the same with compiled programs kept (s)": round(again, 1),
        "programs compiled": programs,
        "processor time in XLA's compiler, summed over threads (s)": round(compiling, 1),
        "share of the command that kept programs save": round(1 - again / ours, 3),
    }
    store("speed_sweep", frame, facts(f"{COMMAND} sweep", precision=precision, totals=totals))
    print(*(f"{name}: {value}" for name, value in totals.items()), sep="\n")


def _totals(frame: pd.DataFrame, ours: float) -> dict[str, float]:
    """What the command does outside trials is charged to finite m by its share of the points."""
    finite = frame[np.isfinite(frame["m"])]
    numpy_all, numpy_finite = float(frame["numpy_s"].sum()), float(finite["numpy_s"].sum())
    points = [len(some[["m", "psi_p"]].drop_duplicates()) for some in (finite, frame)]
    outside = (ours - float(frame["simdiff_s"].sum())) * points[0] / points[1]
    finite_ours = float(finite["simdiff_s"].sum()) + outside
    return {
        "simdiff, whole command (s)": round(ours, 1),
        "simdiff, in trials (s)": round(float(frame["simdiff_s"].sum()), 1),
        "NumPy, all (s)": round(numpy_all, 1),
        "NumPy, finite m only (s)": round(numpy_finite, 1),
        "ratio, all, compilation included": round(numpy_all / ours, 2),
        "ratio, finite m, compilation included": round(numpy_finite / finite_ours, 2),
        "ratio, finite m, trials only": round(numpy_finite / float(finite["simdiff_s"].sum()), 2),
    }


def theory() -> None:
    """A 64 x 64 map over (psi_n, psi_p) at m = 4, after compilation, from problem objects to numbers."""
    axis = np.geomspace(0.1, 20, 64)
    problems = [point(p, 4, n) for n in axis for p in axis]
    many = load(None, problems[0]).many
    each = seconds(lambda: many(problems)) / len(problems)
    table = pd.DataFrame([(len(problems), 1 / each)], columns=["points", "points_per_second"])
    store("speed_theory", table, facts(f"{COMMAND} theory"))


def part(name: str) -> Callable[[], None]:
    """The function of a part; those with a file of their own are imported when asked for."""
    own = {"sweep": sweep, "theory": theory}
    if name in own:
        return own[name]
    places = {
        "trials": ("trial_speed", "main"),
        "training": ("training_speed", "main"),
        "peak": ("peak_share", "main"),
        "growth": ("growth", "times"),
        "memory": ("growth", "memory"),
        "devices": ("device_scaling", "main"),
    }
    if name not in places:
        raise SystemExit(f"no part {name!r}; there are {', '.join(PARTS)}")
    module, function = places[name]
    return getattr(importlib.import_module(module), function)


PARTS = ("theory", "memory", "growth", "peak", "trials", "training", "devices", "sweep")

if __name__ == "__main__":
    for run_part in [part(name) for name in sys.argv[1:] or PARTS]:
        run_part()
