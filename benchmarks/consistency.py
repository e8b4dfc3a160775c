"""Two models trained on independent sets, given the same noise: consistency and spread against theory.

    python benchmarks/consistency.py                  # the whole table and the figure
    python benchmarks/consistency.py isotropic 0.25   # some laws, some N/d: their rows anew
    python benchmarks/consistency.py figure           # the figure alone

Isotropic data, power laws, a spiked covariance and 8 x 8 patches of photographs at N/d = 1/4, 1, 2, without
ridge and with one; probability flow or anything coupled like it, without discretisation error. Theory is the
mean at the size simulated; of patches, leave-one-out theory, with Gaussian theory beside. The rule, fixed
before the run: within 1% or two standard errors. `wrong` is how many standard errors off the theory of 25%
more samples is. The figure has consistency against N/d, and the spread mode by mode (`spread_by_mode`)
against NumPy trials of its own.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.analysis import spread_by_mode
from simdiff.data import Gaussian, Patches, PowerLaw, Spiked
from simdiff.trainers import Ridge

D, TRIALS, SEED, RATIOS, RIDGES, WITHIN = 128, 400, 0, (0.25, 1.0, 2.0), (0.0, 0.1), 0.01
LAWS = {
    "isotropic": Gaussian,
    "power law 0.5": lambda: PowerLaw(0.5),
    "power law 1": lambda: PowerLaw(1.0),
    "spiked 4": lambda: Spiked(4.0),
    "patches 8": lambda: Patches(8),
}
SMALL = {"test", "train", "covariance"}


def problem_of(law: Any, psi_n: float, ridge: float) -> simdiff.LinearSampling:
    """Two models, no divergences."""
    trainer = Ridge(ridge) if ridge else None
    return simdiff.LinearSampling(law, trainer, psi_n=psi_n, samples=0, splits=2, kl=False)


def predicted(problem: simdiff.LinearSampling, d: int) -> dict[str, float]:
    """Theory; of points without ridge overlaps alone, which take no contour: E F = Sigma."""
    if problem.data.population() is None or problem.trainer is not None:
        return simdiff.predict(problem, d=d)
    found = spread_by_mode(problem)
    spread, variance = float(found.spread.mean()), float(found.eigenvalues.mean())
    return {"consistency": 1.0 - 0.5 * spread / variance, "spread": spread}


def compared(name: str, psi_n: float, ridge: float) -> list[dict[str, Any]]:
    """One row per metric."""
    law = LAWS[name]()
    d = law.only_size or D
    problem = problem_of(law, psi_n, ridge)
    own = predicted(problem, d)
    more = predicted(dataclasses.replace(problem, psi_n=1.25 * psi_n), d)
    gaussian = simdiff.predict(problem, theory="linear_sampling", d=d)
    trials = simdiff.simulate(problem, d=d, trials=TRIALS, seed=SEED)
    rows = []
    for metric in (name for name in own if name not in SMALL and np.isfinite(own[name])):
        mean, error = trials[metric].mean(), trials[metric].std() / TRIALS**0.5
        if metric == "recovery":  # theory is a limit: see spike_recovery.py
            continue
        row = {"data": name, "d": d, "psi_n": psi_n, "ridge": ridge, "metric": metric, "theory": own[metric]}
        row |= {"estimate": mean, "stderr": error, "deviation": mean / own[metric] - 1.0}
        row |= {"pull": (mean - own[metric]) / error, "deviation_gaussian": mean / gaussian[metric] - 1.0}
        row["met"] = abs(mean - own[metric]) <= max(WITHIN * abs(own[metric]), 2.0 * error)
        rows.append(row | {"wrong": (mean - more[metric]) / error})
    return rows


def measured(problem: simdiff.LinearSampling, d: int, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean spread along every eigenvector, and its standard error, by NumPy alone."""
    rng, at = np.random.default_rng(SEED), problem.at_size(d)
    points, s = at.data.population(), at.data.inputs(d)["eigenvalues"]

    def noise_map() -> np.ndarray:
        n = at.count(d)
        x = (
            rng.standard_normal((n, d)) * np.sqrt(s)
            if points is None
            else points[rng.integers(len(points), size=n)]
        )
        values, vectors = np.linalg.eigh(x.T @ x / n)
        variance = problem.spectral_functions(np.maximum(values, 0.0)).variance[0]
        return (vectors * np.sqrt(variance)) @ vectors.T

    found = np.array([np.sum((noise_map() - noise_map()) ** 2, axis=1) for _ in range(trials)])
    return found.mean(axis=0), found.std(axis=0) / trials**0.5


def figure(table: pd.DataFrame) -> None:
    """Consistency against N/d, and the spread mode by mode, theory as lines and trials as dots."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = canvas.subplots(1, 2)
    for (name, make), colour in zip(LAWS.items(), ("C0", "C1", "C2", "C4", "C3"), strict=True):
        law = make()
        dense = np.geomspace(0.25, 2.0, 13 if law.only_size is None else 5)
        lines = [predicted(problem_of(law, psi, 0.0), law.only_size or D)["consistency"] for psi in dense]
        part = table[(table["data"] == name) & (table["metric"] == "consistency") & (table["ridge"] == 0.0)]
        left.plot(dense, lines, colour, label=name)
        left.errorbar(part["psi_n"], part["estimate"], 2 * part["stderr"], fmt="o", ms=4, color=colour)
    left.set(
        xscale="log", xlabel="training samples per dimension, $N/d$", ylabel="overlap of the two samples"
    )
    left.set_xticks((0.25, 0.5, 1, 2), ("0.25", "0.5", "1", "2"))
    left.minorticks_off()
    left.set_title("Same noise, disjoint training sets", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    shown = {"power law 1, $N/d$ = 0.5": (PowerLaw(1.0), 0.5, 0.0, 200)}
    shown["patches 8, $N/d$ = 1"] = (Patches(8), 1.0, 0.0, 64)
    for (label, (law, psi_n, ridge, d)), colour in zip(shown.items(), ("C2", "C3"), strict=True):
        problem = problem_of(law, psi_n, ridge)
        theory = spread_by_mode(problem, d)
        mean, error = measured(problem, d, 150)
        right.plot(theory.eigenvalues, theory.spread, colour, label=label)
        some = np.unique(np.geomspace(1, d, 14).astype(int)) - 1
        right.errorbar(theory.eigenvalues[some], mean[some], 2 * error[some], fmt="o", ms=4, color=colour)
    right.plot((0.005, 60), (0.01, 120), "0.6", lw=1, ls=":", label="unrelated samples")
    right.set(
        xscale="log", yscale="log", xlabel="eigenvalue of the covariance", ylabel="spread along its mode"
    )
    right.set_title("Where the two samples differ", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    canvas.savefig(RESULTS / "consistency.png", dpi=150)


def main(words: list[str]) -> None:
    """Compare, store after every N/d, draw."""
    path, about = RESULTS / "consistency.csv", {"seed": SEED, "trials": TRIALS, "within": WITHIN}
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({"data": [], "psi_n": [], "ridge": []})
    names = [name for name in LAWS if name in words] or ([] if "figure" in words else list(LAWS))
    ratios = [psi_n for psi_n in RATIOS if f"{psi_n:g}" in words] or list(RATIOS)
    for name, psi_n in itertools.product(names, ratios):
        for ridge in RIDGES:
            rows = pd.DataFrame(compared(name, psi_n, ridge))
            print(rows.to_string(index=False, header=False), flush=True)
            old = np.all([table["data"] == name, table["psi_n"] == psi_n, table["ridge"] == ridge], axis=0)
            table = pd.concat([table[~old], rows], ignore_index=True)
            store("consistency", table, facts("python benchmarks/consistency.py", **about), quiet=True)
    if words in ([], ["figure"]):
        figure(table)


if __name__ == "__main__":
    main(sys.argv[1:])
