"""Theory without Gaussian data against simulation on images: deviations of both theories, point by point.

    python benchmarks/leave_one_out.py               # patches of photographs and digits
    python benchmarks/leave_one_out.py FILE          # and images of your own, their 64 leading components

Linear denoisers at m = infinity: errors of the ridge minimiser at three noise levels and of training for two
times, and both divergences of sampling. Every row has the simulated mean, its standard error, and the
deviation of the simulation from leave-one-out theory and from Gaussian theory, relative to theory. The
rule, fixed before the run: test and train within 0.5% or two standard errors, divergences within 3% or two.
Stored after every group of points, so that what is there is complete in itself; a figure shows patches.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.data import Digits, Images, Patches, PointSet
from simdiff.trainers import GradientFlow, Ridge

RATIOS = (0.5, 1.0, 2.0, 4.0, 8.0)
RIDGES, LEVELS, TIMES = (1e-2, 1e-1), (0.03, 0.1, 0.5), (3.0, 30.0)
TRIALS = {"ridge": 400, "time": 200, "sampling": 400}
WITHIN = {"kl_sampled_target": 0.03, "kl_target_sampled": 0.03}
GAUSSIAN = {"ridge": "linear_denoiser", "time": "linear_denoiser", "sampling": "linear_sampling"}
NOT_COMPARED = {"memorization", "objective", "covariance"}


def laws(paths: Sequence[str]) -> dict[str, PointSet]:
    """Images whose covariance has full rank."""
    own = {f"images {i}": Images(path, components=64) for i, path in enumerate(paths, 1)}
    return {"patches 8": Patches(side=8), "digits": Digits(components=40), "patches 12": Patches(12)} | own


def points(found: dict[str, PointSet]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(kind, columns, problem), cheapest kinds first."""
    linear = simdiff.models.Linear()
    for (name, law), psi_n, ridge, t in itertools.product(found.items(), RATIOS, RIDGES, LEVELS):
        columns = {"data": name, "d": law.only_size, "psi_n": psi_n, "ridge": ridge, "t": t}
        yield "ridge", columns, simdiff.DenoisingScoreMatching(law, linear, Ridge(ridge), psi_n, math.inf, t)
    for (name, law), psi_n in itertools.product(found.items(), RATIOS):
        columns = {"data": name, "d": law.only_size, "psi_n": psi_n, "ridge": 0.0, "t": 0.1}
        flow = GradientFlow(TIMES)
        yield "time", columns, simdiff.DenoisingScoreMatching(law, linear, flow, psi_n, math.inf, 0.1)
    for (name, law), psi_n, ridge in itertools.product(found.items(), RATIOS, RIDGES):
        columns = {"data": name, "d": law.only_size, "psi_n": psi_n, "ridge": ridge, "t": 0.1}
        yield "sampling", columns, simdiff.LinearSampling(law, Ridge(ridge), psi_n=psi_n, samples=0)


def compared(kind: str, columns: dict[str, Any], problem: Any) -> list[dict[str, Any]]:
    """One row per metric and training time."""
    start = time.perf_counter()
    own = simdiff.predict(problem, theory="leave_one_out")
    seconds = time.perf_counter() - start
    gaussian = simdiff.predict(problem, theory=GAUSSIAN[kind])
    trials = simdiff.simulate(problem, trials=TRIALS[kind], seed=0)
    rows = []
    for name, i in itertools.product(own, range(len(problem.times or (0,)))):
        part = trials if problem.times is None else trials[trials["time"] == problem.times[i]]
        if name in NOT_COMPARED:
            continue
        mean, error = part[name].mean(), part[name].std() / len(part) ** 0.5
        theory, other = (float(np.ravel(values[name])[i]) for values in (own, gaussian))
        off = mean / theory - 1.0
        rows.append(
            {"kind": kind, **columns}
            | {"time": math.inf if problem.times is None else problem.times[i], "metric": name}
            | {"theory": theory, "estimate": mean, "stderr": error, "deviation": off}
            | {"deviation_gaussian": mean / other - 1.0, "relative_stderr": error / abs(theory)}
            | {"met": abs(off) <= max(WITHIN.get(name, 0.005), 2.0 * error / abs(theory)), "seconds": seconds}
        )
    return rows


def figure(table: pd.DataFrame) -> None:
    """Learning curves of patches, with both theories."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = canvas.subplots()
    chosen = table[(table["kind"] == "ridge") & (table["data"] == "patches 8") & (table["t"] == 0.1)]
    for (name, part), colour in zip(
        chosen[chosen["ridge"] == 0.01].groupby("metric"), ("C0", "C1"), strict=True
    ):
        gaussian = part["estimate"] / (1.0 + part["deviation_gaussian"])
        axes.plot(part["psi_n"], part["theory"], colour, label=f"{name}, leave one out")
        axes.plot(part["psi_n"], gaussian, colour, ls="--", label=f"{name}, Gaussian data")
        axes.errorbar(part["psi_n"], part["estimate"], part["stderr"], fmt="o", ms=4, color=colour)
    axes.set(xscale="log", xlabel="training samples per dimension, $N/d$", ylabel="error per dimension")
    axes.set_xticks(RATIOS, [f"{ratio:g}" for ratio in RATIOS])
    axes.minorticks_off()
    axes.set_title("Linear denoiser on 8 x 8 patches of photographs: simulation (dots)", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    canvas.savefig(RESULTS / "leave_one_out.png", dpi=150)


if __name__ == "__main__":
    rows: list[dict[str, Any]] = []
    for kind, part in itertools.groupby(points(laws(sys.argv[1:])), key=lambda point: point[0]):
        for done in part:
            rows += compared(*done)
            last = rows[-1]
            print(f"{kind} {last['data']} N/d={last['psi_n']:g}: {last['seconds']:.1f} s", flush=True)
        table = pd.DataFrame(rows)
        command = "python benchmarks/leave_one_out.py" + " FILE" * len(sys.argv[1:])
        store("leave_one_out", table, facts(command, seed=0, trials=TRIALS, within=WITHIN | {"other": 0.005}))
        figure(table)
