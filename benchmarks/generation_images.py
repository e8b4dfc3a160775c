"""Images over generations: digits made by models that were trained on the samples of models.

    python benchmarks/generation_images.py

Linear diffusion models of digits (40 components), N = 2 d samples per generation, no ridge, sampling without
discretisation error. Every generation makes images of the same noise: x = mean + A_g^{1/2} z. Left, the data
are replaced by the last model's samples; in the middle a quarter of them is real and fresh; on the right all
are kept. Beside each row stands KL(sampled || target) per dimension, of this run and as predicted for
Gaussian data. Stored in results/generation_images.csv and .png.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from same_noise import pictures

import simdiff
from simdiff.data import Digits

PSI_N, STEPS, SHOWN, SEED = 2.0, (1, 3, 10, 30), 5, 0
KEPT = {"replaced": "replace", "a quarter real": 0.25, "accumulated": "accumulate"}
LAW = Digits(components=40)
TITLE = r"digits, $N = 2d$: generation, and KL(sampled $\Vert$ target) per dimension (predicted)"


def moments(keep: str | float) -> dict[int, np.ndarray]:
    """A_g at the generations shown, of one run."""
    rng, points = np.random.default_rng(SEED), LAW.population()
    count = round(PSI_N * LAW.only_size)
    fresh = round(keep * count) if isinstance(keep, float) else 0
    found, fitted = {}, np.zeros(0)
    for g in range(1, max(STEPS) + 1):
        real = points[rng.integers(len(points), size=count if g == 1 else fresh)]
        made = rng.standard_normal((count - len(real), LAW.only_size))
        x = real if g == 1 else np.concatenate([real, made @ root(fitted)])
        new = x.T @ x / count
        fitted = fitted + (new - fitted) / g if keep == "accumulate" and g > 1 else new
        found[g] = fitted
    return {g: found[g] for g in STEPS}


def root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric root."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def divergence(fitted: np.ndarray) -> float:
    """KL(sampled || target) per dimension."""
    s = LAW.prepared.eigenvalues
    ratio = np.linalg.slogdet(fitted)[1] - np.log(s).sum()
    return float(0.5 * (np.mean(np.diag(fitted) / s) - 1.0 - ratio / s.size))


def main() -> None:
    """Draw and store."""
    from matplotlib.figure import Figure

    canvas, rows = Figure(figsize=(11.0, 3.4)), list[dict[str, Any]]()
    z = np.random.default_rng(SEED + 1).standard_normal((SHOWN, LAW.only_size))
    grid = {"wspace": 0.04, "hspace": 0.04, "left": 0.24, "right": 0.99, "top": 0.82, "bottom": 0.02}
    for block, (label, keep) in zip(canvas.subfigures(1, len(KEPT)), KEPT.items(), strict=True):
        axes = block.subplots(len(STEPS), SHOWN, gridspec_kw=grid)
        for row, (g, fitted) in zip(axes, moments(keep).items(), strict=True):
            own = divergence(fitted)
            # Without ridge divergences of Gaussian data are the same for every covariance.
            theory = simdiff.predict(simdiff.Generations(psi_n=PSI_N, generations=g, keep=keep))
            rows.append(
                {"keep": keep, "generation": g, "theory": theory["kl_sampled_target"], "this_run": own}
            )
            for place, image in zip(row, pictures(LAW, z @ root(fitted)), strict=True):
                place.imshow(image, cmap="gray_r", vmin=0.0, vmax=1.0, aspect="auto")
                place.set(xticks=[], yticks=[])
            text = f"{g}\n{own:.2f} ({rows[-1]['theory']:.2f})"
            row[0].set_ylabel(text, rotation=0, labelpad=28, va="center", fontsize=8)
        block.suptitle(label, fontsize=10, x=0.61, y=0.905)
    canvas.suptitle(TITLE, fontsize=10, y=0.995)
    canvas.savefig(RESULTS / "generation_images.png", dpi=150)
    store("generation_images", pd.DataFrame(rows), facts("python benchmarks/generation_images.py", seed=SEED))


if __name__ == "__main__":
    main()
