"""Images that two models trained on disjoint halves of a data set make of the same noise.

    python benchmarks/same_noise.py

Linear diffusion models of digits and of 12 x 12 patches of photographs, without ridge, sampled without
discretisation error: x = mean + Sigma_hat^{1/2} z, one z for both models. Training sets of N images are drawn
from one half of the images each, with N below and above d. Under each block stands the overlap of samples,
per unit of variance: predicted by leave-one-out theory for independent sets, and that of these two models.
Stored in results/same_noise.csv and .png.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.analysis import spread_by_mode
from simdiff.data import Digits, Patches, PointSet

SHOWN, RATIOS, SEED = 5, (0.25, 1.0, 5.0), 0
LAWS = {"digits": Digits(components=61), "photographs": Patches(12)}


def halves(law: PointSet, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Roots of the second moments of `count` points from either half."""
    points = law.population()
    order = rng.permutation(len(points))
    roots = []
    for half in (order[: len(order) // 2], order[len(order) // 2 :]):
        x = points[rng.choice(half, count)]
        values, vectors = np.linalg.eigh(x.T @ x / count)
        roots.append((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
    return roots


def pictures(law: PointSet, x: np.ndarray) -> np.ndarray:
    """Samples as pixels: the scale by which points have mean variance 1 is undone."""
    pixels = law.load()
    scale = np.sqrt((pixels - pixels.mean(axis=0)).var(axis=0).sum() / law.prepared.eigenvalues.sum())
    flat = pixels.mean(axis=0) + scale * x @ law.basis()
    side = round(flat.shape[1] ** 0.5)
    return flat.reshape(-1, side, side)


def drawn(canvas: Any, name: str, law: PointSet) -> list[dict[str, Any]]:
    """A row of blocks, one per N, of pairs of columns."""
    rng, d, rows = np.random.default_rng(SEED), law.only_size, []
    z = rng.standard_normal((SHOWN, d))
    blocks = canvas.subfigures(1, len(RATIOS), wspace=0.06)
    for block, psi_n in zip(blocks, RATIOS, strict=True):
        problem = simdiff.LinearSampling(law, psi_n=psi_n, samples=0, splits=2, kl=False)
        count = problem.count(d)
        roots = halves(law, count, rng)
        modes = spread_by_mode(problem)
        theory = 1.0 - 0.5 * float(modes.spread.sum() / modes.eigenvalues.sum())
        overlap = float(np.sum(roots[0] * roots[1]) / law.prepared.eigenvalues.sum())
        made = [pictures(law, z @ root) for root in roots]
        low, high = np.quantile(np.concatenate(made), (0.01, 0.99))
        axes = block.subplots(
            2,
            SHOWN,
            gridspec_kw={
                "wspace": 0.04,
                "hspace": 0.04,
                "left": 0.05,
                "right": 0.99,
                "top": 0.88,
                "bottom": 0.13,
            },
        )
        for row, label in enumerate("AB"):
            for column in range(SHOWN):
                place = axes[row, column]
                place.imshow(made[row][column], cmap="gray", vmin=low, vmax=high)
                place.set(xticks=[], yticks=[])
            axes[row, 0].set_ylabel(label, rotation=0, labelpad=8, va="center", fontsize=9)
        block.suptitle(f"{name}, $N$ = {count} = {psi_n:g} $d$", fontsize=9, y=0.97)
        block.supxlabel(f"overlap {overlap:.2f}, predicted {theory:.2f}", fontsize=9, y=0.03)
        rows.append(
            {"data": name, "d": d, "N": count, "psi_n": psi_n, "theory": theory, "these_two": overlap}
        )
    return rows


def main() -> None:
    """Draw and store."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(11.0, 3.9))
    bands = canvas.subfigures(len(LAWS), 1)
    rows = [
        row for band, (name, law) in zip(bands, LAWS.items(), strict=True) for row in drawn(band, name, law)
    ]
    canvas.savefig(RESULTS / "same_noise.png", dpi=150)
    store("same_noise", pd.DataFrame(rows), facts("python benchmarks/same_noise.py", seed=SEED))


if __name__ == "__main__":
    main()
