"""Theory without Gaussian data against simulation on images: deviations of both theories, point by point.

    python benchmarks/leave_one_out.py                    # patches of photographs and digits, all kinds
    python benchmarks/leave_one_out.py FILE               # and images of your own, 64 leading components
    python benchmarks/leave_one_out.py again              # what missed, by new trials
    python benchmarks/leave_one_out.py sampling digits 2  # some kinds, data sets, N/d: their rows anew

Linear denoisers at m = infinity: errors of the ridge minimiser and of training for two times at three noise
levels, and both divergences of sampling. Every row has the simulated mean, its standard error, and the
deviation of the simulation from leave-one-out theory and from Gaussian theory, relative to theory. The
rule, fixed before the run: test and train within 0.5% or two standard errors, divergences within 3% or two.
Stored after every N/d, so that what is there is complete in itself; a figure shows patches.
"""

from __future__ import annotations

import itertools
import math
import os
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


def points(kind: str, name: str, law: PointSet, psi_n: float) -> Iterator[tuple[dict[str, Any], Any]]:
    """(columns, problem) of one kind on one data set at one N/d."""
    linear, flow = simdiff.models.Linear(), GradientFlow(TIMES)
    base = {"kind": kind, "data": name, "d": law.only_size, "psi_n": psi_n}
    if kind == "sampling":
        for ridge in RIDGES:
            yield (
                base | {"ridge": ridge, "t": 0.1},
                simdiff.LinearSampling(law, Ridge(ridge), psi_n=psi_n, samples=0),
            )
        return
    trainers = [(0.0, flow)] if kind == "time" else [(ridge, Ridge(ridge)) for ridge in RIDGES]
    for (ridge, trainer), t in itertools.product(trainers, LEVELS):
        problem = simdiff.DenoisingScoreMatching(law, linear, trainer, psi_n, math.inf, t)
        yield base | {"ridge": ridge, "t": t}, problem


def compared(columns: dict[str, Any], problem: Any) -> list[dict[str, Any]]:
    """One row per metric and training time."""
    kind = columns["kind"]
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
            columns
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


def stored(rows: list[dict[str, Any]], command: str) -> pd.DataFrame:
    """The table with these rows in place of those of their kind, data set and N/d."""
    path, new = RESULTS / "leave_one_out.csv", pd.DataFrame(rows)
    if path.exists():
        old = pd.read_csv(path)
        again = np.all([old[name] == rows[0][name] for name in ("kind", "data", "psi_n")], axis=0)
        new = pd.concat([old[~again], new], ignore_index=True)
    about = facts(command, seed=0, trials=TRIALS, within=WITHIN | {"other": 0.005})
    store("leave_one_out", new, about, quiet=True)
    return new


def again(found: dict[str, PointSet]) -> None:
    """The points that missed, with seed 1 and four times as many trials, against the theory stored."""
    table, rows = pd.read_csv(RESULTS / "leave_one_out.csv"), []
    for _, miss in table[~table["met"].astype(bool)].iterrows():
        places = points(miss["kind"], miss["data"], found[miss["data"]], miss["psi_n"])
        problem = next(p for at, p in places if (at["ridge"], at["t"]) == (miss["ridge"], miss["t"]))
        trials = simdiff.simulate(problem, trials=4 * TRIALS[miss["kind"]], seed=1)
        part = trials if math.isinf(miss["time"]) else trials[trials["time"] == miss["time"]]
        mean, error = part[miss["metric"]].mean(), part[miss["metric"]].sem()
        row = {
            name: miss[name] for name in ("kind", "data", "psi_n", "ridge", "t", "time", "metric", "theory")
        }
        row |= {"first": miss["deviation"], "deviation": mean / miss["theory"] - 1.0}
        row |= {"relative_stderr": error / miss["theory"]}
        rows.append(row | {"met": abs(row["deviation"]) <= max(0.005, 2.0 * row["relative_stderr"])})
    command = "python benchmarks/leave_one_out.py again"
    store("leave_one_out_again", pd.DataFrame(rows), facts(command, seed=1))


def main(words: Sequence[str]) -> None:
    """Compare, store, draw."""
    paths = [word for word in words if os.path.exists(word)]
    found, command = laws(paths), "python benchmarks/leave_one_out.py" + " FILE" * bool(paths)
    if "again" in words:
        return again(found)
    kinds = [kind for kind in TRIALS if kind in words] or list(TRIALS)
    names = [name for name in found if name in words] or list(found)
    ratios = [psi_n for psi_n in RATIOS if f"{psi_n:g}" in words] or list(RATIOS)
    for kind, name, psi_n in itertools.product(kinds, names, ratios):
        rows: list[dict[str, Any]] = []
        for columns, problem in points(kind, name, found[name], psi_n):
            rows += compared(columns, problem)
        table = stored(rows, command)
        print(f"{kind} {name} N/d={psi_n:g}: {rows[-1]['seconds']:.1f} s per point", flush=True)
    figure(table)


if __name__ == "__main__":
    main(sys.argv[1:])
