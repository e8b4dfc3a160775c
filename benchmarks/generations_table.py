"""Generations of models trained on samples of models: trials against exact means and against limits.

    python benchmarks/generations_table.py                # or exact, or limits, alone

Replaced data, no ridge: both divergences against their exact means at d = 16 and 64, N/d = 2, 4, 16 and up to
ten generations; two spectra, for the means do not depend on Sigma. The rule, fixed before the run: within
three standard errors. Accumulated and mixed data, and a ridge: trials at LIMIT_SIZES, extrapolated in 1/d and
1/d^2, against the limits of free sums and products; within 1%, or two standard errors of at most 1%. `wrong`
is the pull of the theory of one generation less. Figures show divergences against the generation and
against d/N. Stored in results/generations.csv.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.data import Gaussian, PowerLaw
from simdiff.trainers import Ridge
from simdiff.validation import Rule, hypotheses, judge_table

KLS, SEED = ("kl_sampled_target", "kl_target_sampled"), 0
SIZES, RATIOS, GENERATIONS, TRIALS = (16, 64), (2.0, 4.0, 16.0), (1, 2, 3, 6, 10), {16: 1600, 64: 200}
SPECTRA = {"isotropic": Gaussian(), "power law 1": PowerLaw(1.0)}
LIMIT_SIZES, LIMIT_TRIALS = (16, 24, 40, 80), (4000, 2000, 800, 240)
TWO = Gaussian(([0.5, 1.5], [0.5, 0.5]))
LIMITS = [
    (keep, ridge, psi_n, g)
    for keep, ridge, psi_n in (
        ("accumulate", 0.0, 4.0),
        ("accumulate", 0.0, 2.0),
        (0.25, 0.0, 4.0),
        (0.5, 0.0, 2.0),
        ("accumulate", 0.1, 1.0),
        (0.25, 0.1, 0.5),
    )
    for g in (2, 4, 8)
]


def exact(name: str, d: int, psi_n: float, g: int) -> list[dict[str, Any]]:
    """One row per divergence of replaced data."""
    problem = simdiff.Generations(SPECTRA[name], psi_n, g)
    trials = simdiff.simulate(problem, d=d, trials=TRIALS[d], seed=SEED)
    means, fewer = (
        simdiff.predict(dataclasses.replace(problem, generations=k), d=d) if k else dict.fromkeys(KLS, 0.0)
        for k in (g, g - 1)
    )
    rows = []
    for metric in KLS:
        mean, error = trials[metric].mean(), trials[metric].sem()
        row = {"kind": "exact", "data": name, "keep": "replace", "ridge": 0.0, "psi_n": psi_n, "d": str(d)}
        row |= {
            "generations": g,
            "metric": metric,
            "theory": means[metric],
            "estimate": mean,
            "stderr": error,
        }
        row["pull"] = (mean - means[metric]) / error
        rows.append(row | {"met": abs(row["pull"]) <= 3.0, "wrong": (mean - fewer[metric]) / error})
    return rows


def limit(keep: str | float, ridge: float, psi_n: float, g: int) -> list[dict[str, Any]]:
    """One row per divergence, extrapolated."""
    problem = simdiff.Generations(TWO, psi_n, g, keep, Ridge(ridge) if ridge else None)
    frames = [
        simdiff.simulate(problem, d=d, trials=n, seed=SEED)
        for d, n in zip(LIMIT_SIZES, LIMIT_TRIALS, strict=True)
    ]
    theory = simdiff.predict(problem)
    fewer = simdiff.predict(dataclasses.replace(problem, generations=g - 1))
    rule = Rule(precision=0.01, sizes=LIMIT_SIZES, extrapolation=(1.0, 2.0), max_trials=max(LIMIT_TRIALS))
    own = {name: theory[name] for name in KLS}
    found = judge_table(hypotheses(pd.concat(frames), list(KLS), LIMIT_SIZES, theory=own), rule).table
    rows = []
    for metric, (_, judged) in zip(KLS, found.iterrows(), strict=True):
        mean, error = judged["estimate"], judged["stderr"]
        row = {
            "kind": "limit",
            "data": "two levels",
            "keep": keep,
            "ridge": ridge,
            "psi_n": psi_n,
            "d": "inf",
        }
        row |= {
            "generations": g,
            "metric": metric,
            "theory": theory[metric],
            "estimate": mean,
            "stderr": error,
        }
        row |= {"pull": (mean - theory[metric]) / error, "p_fit": judged["p_fit"]}
        near = abs(mean / theory[metric] - 1.0) <= 0.01
        row["met"] = near or (abs(row["pull"]) <= 2.0 and error <= 0.01 * abs(theory[metric]))
        rows.append(row | {"wrong": (mean - fewer[metric]) / error})
    return rows


KEPT = {"replace": ("C3", "replaced"), 0.25: ("C1", "a quarter real"), "accumulate": ("C0", "accumulated")}
"""Colour and words of each way to train on in the figure."""


def figure(table: pd.DataFrame) -> None:
    """Divergences against the generation at N/d = 4, and against d/N after five generations."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = canvas.subplots(1, 2)
    against_generations(left, table)
    against_samples(right)
    for ax in (left, right):
        ax.set(yscale="log", ylabel="divergence per dimension")
        ax.legend(frameon=False, fontsize=9)
    canvas.savefig(RESULTS / "generations.png", dpi=150)


def against_generations(ax: Any, table: pd.DataFrame) -> None:
    """At N/d = 4, with the measured values."""
    steps = np.arange(1, 11)
    for keep, (colour, label) in KEPT.items():
        lines(ax, steps, [simdiff.Generations(TWO, 4.0, int(g), keep) for g in steps], colour, label)
        for metric, face in zip(KLS, (colour, "white"), strict=True):
            part = shown(table, keep, metric)
            x, y, error = part["generations"], part["estimate"], 2 * part["stderr"]
            ax.errorbar(x, y, error, fmt="o", ms=4, color=colour, mfc=face)
    ax.set(xlabel="generation", xticks=steps[1::2])
    ax.set_title(r"$N/d$ = 4; full: KL(sampled $\Vert$ target), dashed: the other", fontsize=10)


def against_samples(ax: Any) -> None:
    """After five generations, theory alone."""
    inverse = np.geomspace(1 / 32, 0.6, 16)
    for keep, (colour, label) in KEPT.items():
        lines(ax, inverse, [simdiff.Generations(TWO, 1 / q, 5, keep) for q in inverse], colour, label)
    ax.plot(inverse, inverse / 4, "0.6", ls=":", label="$d/(4N)$, one generation")
    ax.set(xscale="log", xlabel="dimensions per training sample, $d/N$")
    ticks = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
    ax.set_xticks(ticks, [f"1/{1 / tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_title("after five generations, theory", fontsize=10)


def lines(ax: Any, x: Any, problems: list[simdiff.Generations], colour: str, label: str) -> None:
    """Both divergences in theory; one of them is in the legend."""
    values = [simdiff.predict(problem) for problem in problems]
    for metric, style, name in zip(KLS, ("-", "--"), (label, None), strict=True):
        ax.plot(x, [each[metric] for each in values], colour, ls=style, label=name)


def shown(table: pd.DataFrame, keep: Any, metric: str) -> pd.DataFrame:
    """Limits, or means at d = 64, without ridge at N/d = 4."""
    rows = (table["keep"].astype(str) == str(keep)) & (table["metric"] == metric)
    rows &= (table["psi_n"] == 4.0) & (table["ridge"] == 0.0) & (table["data"] != "power law 1")
    return table[rows & table["d"].astype(float).isin([np.inf, 64.0])]


def main(words: Sequence[str]) -> None:
    """Exact means, then limits, then the figure; stored in between, and limits that are stored are kept."""
    path, command = RESULTS / "generations.csv", "python benchmarks/generations_table.py"
    about = {"seed": SEED, "trials": TRIALS, "limit_sizes": LIMIT_SIZES, "limit_trials": LIMIT_TRIALS}
    known = pd.read_csv(path, dtype={"keep": str}) if path.exists() else pd.DataFrame({"kind": []})
    rows: list[dict[str, Any]] = known[known["kind"] == "exact"].to_dict("records")
    limits: list[dict[str, Any]] = known[known["kind"] == "limit"].to_dict("records")
    if "exact" in words:
        cases = itertools.product(SPECTRA, SIZES, RATIOS, GENERATIONS)
        rows = [row for case in cases for row in exact(*case)]
    done = {(str(r["keep"]), float(r["ridge"]), float(r["psi_n"]), int(r["generations"])) for r in limits}
    for case in LIMITS if "limits" in words else ():
        if (str(case[0]), *case[1:]) not in done:
            limits += limit(*case)
            print(case, [round(row["pull"], 2) for row in limits[-2:]], flush=True)
            store("generations", pd.DataFrame(rows + limits), facts(command, **about), quiet=True)
    table = pd.DataFrame(rows + limits)
    store("generations", table, facts(command, **about), quiet=True)
    pulls = table[table["kind"] == "exact"]["pull"]
    print(f"exact: pulls of std {pulls.std():.2f}, largest {pulls.abs().max():.2f} of {len(pulls)}; not met:")
    print(table[~table["met"].astype(bool)].to_string())
    figure(table)


if __name__ == "__main__":
    main(sys.argv[1:] or ["exact", "limits"])
