"""What every benchmark shares: the machine, medians, the measured matrix-product peak, stored tables."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from simdiff.engine import prepare, spread_over_cores, trial_keys, trials_per_call
from simdiff.engine.devices import one_lapack_thread
from simdiff.problem import Problem
from simdiff.store import commit, iso_date, machine, versions

spread_over_cores()  # as the command does

RESULTS = Path(__file__).parent.parent / "results"


def seconds(run: Callable[[], Any], repeats: int = 5) -> float:
    """Median wall time of `run` after one warm-up, results waited for."""
    jax.block_until_ready(run())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak(dtype: str, size: int = 3000) -> float:
    """Flops a second of a large general matrix product in this type, now, on the default device."""
    a = jax.random.normal(jax.random.key(0), (size, size), dtype)
    with jax.default_matmul_precision("float32"):
        product = jax.jit(jnp.matmul).lower(a, a).compile()
    return 2 * size**3 / seconds(lambda: product(a, a))


def engine_seconds(problem: Problem, d: int, repeats: int = 3) -> float:
    """Median seconds per trial, compiled, in launches as the engine makes them on the devices in use."""
    launch, inputs, size = prepare(problem, d, 0), problem.kernel(d)[1], trials_per_call(problem, d)
    arguments = launch.placed(trial_keys(problem, d, 0, range(size)), inputs)
    with one_lapack_thread():
        return seconds(lambda: launch(*arguments)["test"], repeats) / size


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The least-squares slope of log y against log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def facts(command: str, **more: Any) -> dict[str, Any]:
    """Where, when and with what a number was measured."""
    device = jax.local_devices()[0]
    return {
        "command": command,
        "date": iso_date(),
        "commit": commit(),
        "device": f"{device.device_kind} ({device.platform}, devices: {jax.device_count()})",
        "machine": machine(),
        "versions": versions(),
        **more,
    }


def store(name: str, table: pd.DataFrame, about: dict[str, Any], quiet: bool = False) -> None:
    """Write results/<name>.csv and .json, and print; on a GPU the name ends in that of the device."""
    RESULTS.mkdir(exist_ok=True)
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        name += "-" + re.sub(r"\W+", "_", device.device_kind.lower())
    table.to_csv(RESULTS / f"{name}.csv", index=False, float_format="%.6g")
    (RESULTS / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    if not quiet:
        print(table.to_string(index=False, float_format=lambda x: f"{x:.5g}"))
