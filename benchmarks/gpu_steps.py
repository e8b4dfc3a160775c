"""One step of a GPU day in this process; `gpu_day.py` says what they are, and starts them.

    python benchmarks/gpu_steps.py STEP --seconds 120 [--small] [--results FOLDER]

A step works through its rows in order of worth, stores its table after each, and begins no row when its
seconds are over. Trials on CPU for comparison are made in another process, `gpu_steps.py reference`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import common
import jax
import numpy as np
import pandas as pd
import peak_share
import time_to_verdict
from small_problems import Case, every_case

import simdiff
from simdiff import engine

Row = dict[str, Any]
TRIALS = 4
ROUNDING = {"float64": 1e-9, "mixed": 2e-4, "float32": 2e-4}
"""Largest deviation from CPU, over the metric's own scale, that rounding explains: devices sum in other
orders, and 4% of float32 normals differ in the last bit between levels of XLA's optimisation."""


def point(psi_p: float, m: float = 1, psi_n: float = 2.0) -> simdiff.DenoisingScoreMatching:
    """A Ridge problem with tanh features."""
    model = simdiff.models.RandomFeatures(psi_p)
    return simdiff.DenoisingScoreMatching(model=model, psi_n=psi_n, m=m, t=0.1)


def compared(small: bool) -> list[tuple[Case, str]]:
    """The cases that are run on both devices."""
    cases = [(case, dtype) for case in every_case() for dtype in case.dtypes]
    return cases[:: len(cases) // 3] if small else cases


def reference(path: Path, small: bool) -> None:
    """Trials of `compared` on this device, as JSON {"name, dtype": {metric: values}}."""
    found = {}
    for case, dtype in compared(small):
        found[f"{case.name}, {dtype}"] = numbers(case, dtype)
        path.write_text(json.dumps(found))


def numbers(case: Case, dtype: str) -> dict[str, list[float]]:
    """{metric: values} of a case's trials."""
    trials = simdiff.simulate(case.problem, case.d, TRIALS, seed=3, dtype=dtype)
    return {metric.name: np.asarray(trials[metric.name], float).tolist() for metric in case.problem.metrics}


def agreement(small: bool, results: Path) -> Iterator[Row]:
    """Trials here against those on CPU: the largest deviation over the scale of the metric."""
    path = results / "gpu_day_cpu.json"
    path.unlink(missing_ok=True)
    words = [
        sys.executable,
        __file__,
        "reference",
        "--results",
        str(results),
        *(["--small"] if small else []),
    ]
    other = subprocess.Popen(words, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    try:
        for case, dtype in compared(small):
            here = numbers(case, dtype)
            name = f"{case.name}, {dtype}"
            there = waited_for(path, name, other)
            off = max(deviation(here[metric], there[metric]) for metric in here)
            used = case.problem.arithmetic(dtype)
            yield {"case": name, "arithmetic": used, "deviation": off, "within": off <= ROUNDING[used]}
    finally:
        other.kill()
        other.wait()
        path.unlink(missing_ok=True)


def waited_for(path: Path, name: str, other: subprocess.Popen) -> dict[str, list[float]]:
    """The other process's numbers of this case."""
    while True:
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):  # not there, or being written
            found = {}
        if name in found:
            return found[name]
        if other.poll() not in (None, 0):
            raise RuntimeError(f"the trials on CPU ended with status {other.returncode} before {name}")
        time.sleep(0.2)


def deviation(here: list[float], there: list[float]) -> float:
    """max |here - there| over max |there|; nan at the same places is none."""
    x, y = np.asarray(here), np.asarray(there)
    if x.shape != y.shape or (np.isnan(x) != np.isnan(y)).any():
        return math.inf
    scale = float(np.nanmax(np.abs(y), initial=0.0))
    return float(np.nanmax(np.abs(x - y), initial=0.0)) / scale if scale else 0.0


def peak(small: bool, results: Path) -> Iterator[Row]:
    """Shares of the product rate; `error_over_spread` is rounding's share of a trial's statistical spread."""
    sizes = (32, 64) if small else (1000, 2000, 400, 4000, 200)
    for d in sizes:
        for name in ("Ridge", "flow", "Optax"):
            if not (name == "flow" and d > 1000):
                row = peak_share.row(name, d)
                yield row | {
                    "error_over_spread": numerical_error(d) if name == "Ridge" and d <= 2000 else math.nan
                }


def numerical_error(d: int) -> float:
    """The largest deviation from float64 over the spread between trials, of test and train."""
    narrow, wide = (simdiff.simulate(point(2.0), d, TRIALS, dtype=dtype) for dtype in ("auto", "float64"))
    off = [float(np.max(np.abs(narrow[k] - wide[k])) / wide[k].std(ddof=1)) for k in ("test", "train")]
    return max(off)


def verdict(small: bool, results: Path) -> Iterator[Row]:
    """Seconds until `validate` decides."""
    precisions = (0.2,) if small else (0.005, 0.001)
    for precision in precisions:
        for name, problem in list(time_to_verdict.problems().items())[: 1 if small else None]:
            start = time.perf_counter()
            sizes = (16, 24, 32, 48) if small else None
            found = simdiff.validate(
                problem, sizes=sizes, precision=precision, max_trials=16 if small else 16384
            )
            spent = time.perf_counter() - start
            yield {"problem": name, "precision": precision, "seconds": spent, "agree": str(found.agree)}


def small(small: bool, results: Path) -> Iterator[Row]:
    """Trials per second where thousands fit."""
    for d in (16, 24) if small else (64, 128, 256, 32):
        for psi_p, m in ((1.0, 1), (1.0, 4), (4.0, 4), (1.0, math.inf)):
            problem = point(psi_p, m)
            each = common.engine_seconds(problem, d, 1 if small else 3)
            call, rate = engine.trials_per_call(problem, d), problem.cost(d) / each
            yield {
                "d": d,
                "psi_p": psi_p,
                "m": m,
                "trials_in_a_call": call,
                "trials_per_s": 1 / each,
                "gflops": rate / 1e9,
            }
            if small:
                break


def sweep(small: bool, results: Path) -> Iterator[Row]:
    """A learning curve in psi_p, each point until its test error is known as well as asked."""
    d, points, goal = (24, 3, 0.1) if small else (1000, 24, 0.002)
    for psi_p in np.geomspace(0.25, 6.0, points):
        problem, trials, start = point(round(float(psi_p), 3)), 8, time.perf_counter()
        while True:
            values = simdiff.simulate(problem, d, trials)["test"]
            known = float(values.std(ddof=1) / math.sqrt(trials) / values.mean())
            if known <= goal or trials >= 256:
                break
            trials = min(256, math.ceil(1.1 * trials * (known / goal) ** 2))
        spent, theory = time.perf_counter() - start, simdiff.predict(problem, d=d)["test"]
        row = {"psi_p": psi_p, "trials": trials, "test": values.mean(), "relative_error": known}
        yield row | {"theory": theory, "seconds": spent}


def memory(small: bool, results: Path) -> Iterator[Row]:
    """The most bytes in use during a call against the plan; nan where the device does not tell."""
    for d in (24, 32) if small else (2000, 1000, 4000):
        for psi_p, m in ((2.0, 1), (1.0, math.inf)):
            problem = point(psi_p, m)
            simdiff.simulate(problem, d, 1)
            told = jax.local_devices()[0].memory_stats() or {}
            used, planned = told.get("peak_bytes_in_use", math.nan), problem.memory(d)
            yield {
                "d": d,
                "psi_p": psi_p,
                "m": m,
                "planned_gib": planned / 2**30,
                "most_in_use_gib": used / 2**30,
            }


def profile(small: bool, results: Path) -> Iterator[Row]:
    """Seconds of the parts of a large Ridge trial, each jitted by itself, beside the whole."""
    for d in (32,) if small else (1000, 2000, 4000):
        problem = point(2.0)
        p, rows = 2 * d, 2 * d
        x = normals(jax.random.key(0), rows, p)
        gram = jax.jit(lambda x: x.T @ x / len(x))(x) + np.eye(p, dtype="float32")
        with jax.default_matmul_precision("float32"):
            parts: dict[str, Callable[[], Any]] = {
                "normals": lambda d=d: normals(jax.random.key(1), 2 * d, d),
                "gram": lambda x=x: product(x),
                "tanh": lambda x=x: tanh(x),
                "cholesky_float32": lambda g=gram: cholesky(g),
                "cholesky_float64": lambda g=gram: cholesky(g.astype("float64")),
            }
            spent = {name: common.seconds(part, 3) for name, part in parts.items()}
        yield {"d": d, "p": p, "whole": common.engine_seconds(problem, d, 3), **spent}


@jax.jit
def product(x: jax.Array) -> jax.Array:
    return x.T @ x


@jax.jit
def tanh(x: jax.Array) -> jax.Array:
    return jax.numpy.tanh(x)


@jax.jit
def cholesky(gram: jax.Array) -> jax.Array:
    return jax.numpy.linalg.cholesky(gram)


def normals(key: jax.Array, rows: int, width: int) -> jax.Array:
    return jax.jit(lambda key: jax.random.normal(key, (rows, width), "float32"))(key)


STEPS: dict[str, Callable[[bool, Path], Iterator[Row]]] = {
    step.__name__: step for step in (agreement, peak, verdict, small, sweep, memory, profile)
}


def carry_out(step: str, seconds: float, in_small: bool, results: Path) -> int:
    """Work through the rows of a step; a row that fails is one, and ends the step."""
    end, rows = time.monotonic() + seconds, []
    about = common.facts(f"python benchmarks/gpu_day.py {step}{' --small' * in_small}")
    common.RESULTS = results
    name = f"gpu_day_{step}{'_small' * in_small}"
    try:
        for row in STEPS[step](in_small, results):
            rows.append(row)
            common.store(name, pd.DataFrame(rows), about, quiet=True)
            print(row, flush=True)
            if time.monotonic() > end:
                print(f"{step}: its time was over after {len(rows)} rows")
                break
    except Exception as error:  # what was measured is stored; the day goes on with the next step
        print(f"{step}: after {len(rows)} rows: {type(error).__name__}: {' '.join(str(error).split())[:500]}")
        return 1
    if step == "agreement" and not all(row["within"] for row in rows):
        print("agreement: some trials differ by more than rounding")
        return 1
    return 0


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=[*STEPS, "reference"])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--results", type=Path, default=common.RESULTS)
    chosen = parser.parse_args()
    chosen.results.mkdir(parents=True, exist_ok=True)
    if chosen.step == "reference":
        reference(chosen.results / "gpu_day_cpu.json", chosen.small)
        return 0
    if not chosen.small and jax.local_devices()[0].platform != "gpu":
        print("JAX sees no GPU here; install the extra `cuda` on one, or try --small", file=sys.stderr)
        return 2
    return carry_out(chosen.step, chosen.seconds, chosen.small, chosen.results)


if __name__ == "__main__":
    sys.exit(main())
