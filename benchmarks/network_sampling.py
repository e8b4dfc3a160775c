"""From copies to fresh samples: networks at all noise levels against the number of training points.

    python benchmarks/network_sampling.py

Two networks (two hidden layers of 8 d tanh) are trained on disjoint sets of psi_n d points of a power law and
sample from the same noise by DDPM. Stored: results/network_sampling.csv, means and standard errors over
TRIALS trials, and results/network_sampling.png.
"""

from __future__ import annotations

import pandas as pd
from common import RESULTS, facts, store
from matplotlib import pyplot as plt

import simdiff

PSI_N = (1, 2, 4, 8, 16, 32, 64)
SIZES, TRIALS, SEED = (8, 16), 4, 0
SHOWN = {
    "nearest_ratio": "nearest distance, training / fresh",
    "consistency": "overlap of two models' samples",
    "copied": "share of copies",
}


def problem(psi_n: float) -> simdiff.NetworkSampling:
    """The same number of steps for every number of points."""
    trainer = simdiff.trainers.Optax("adam", 1e-3, 6000, 128, "fresh", schedule="cosine", records=1)
    return simdiff.NetworkSampling(simdiff.data.PowerLaw(0.5), trainer=trainer, psi_n=psi_n, splits=2)


def figure(table: pd.DataFrame) -> None:
    """One panel for each of three metrics."""
    drawn, axes = plt.subplots(1, len(SHOWN), figsize=(11, 3.2), layout="constrained")
    for ax, (name, label) in zip(axes, SHOWN.items(), strict=True):
        for (d, rows), marker in zip(table.groupby("d"), "os", strict=True):
            ax.errorbar(rows["psi_n"], rows[name], rows[f"{name}_sem"], marker=marker, ms=4, label=f"d = {d}")
        ax.set(xscale="log", xlabel=r"training points per dimension, $n/d$", ylabel=label)
        ax.set_xscale("log", base=2)
    axes[0].legend(frameon=False)
    drawn.savefig(RESULTS / "network_sampling.png", dpi=150)


def main() -> None:
    """Run, store, draw."""
    rows = []
    for d in SIZES:
        for psi_n in PSI_N:
            found = simdiff.simulate(problem(psi_n), d=d, trials=TRIALS, seed=SEED)
            names = [metric.name for metric in problem(psi_n).metrics]
            row = {"d": d, "psi_n": psi_n} | {name: found[name].mean() for name in names}
            rows.append(row | {f"{name}_sem": found[name].sem() for name in names})
            print(d, psi_n, round(rows[-1]["nearest_ratio"], 3), flush=True)
    table = pd.DataFrame(rows)
    store("network_sampling", table, facts("python benchmarks/network_sampling.py", seed=SEED, trials=TRIALS))
    figure(table)


if __name__ == "__main__":
    main()
