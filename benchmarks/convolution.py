"""A small convolutional network on images, along its training: when to stop it, and when it copies.

    python benchmarks/convolution.py

A U-net of 3 x 3 filters, one network for all noise levels, is trained by Adam on n images of 8 x 8 pixels,
digits or patches of photographs, with fresh times and noise in every step. Recorded against steps: the loss
on training images and on fresh ones, and how near samples are to training images over how near to as many
fresh ones. Training is best stopped where the loss on fresh images is least: the mean of this step over
trials is one of its logarithm. Stored: results/convolution.csv, means and standard errors over TRIALS trials,
and results/convolution.png, in which samples of trial 0 after all steps stand above the training images that
are nearest to them.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from same_noise import pictures

import simdiff
from simdiff.analysis import generated_samples

LAWS = {"digits": simdiff.data.Digits(), "patches": simdiff.data.Patches()}
COUNTS, STEPS, BATCH, RATE = (16, 64, 256), 2000, 32, 3e-3
TRIALS, SEED = 4, 0
SIDE, FINE, COARSE = 8, 12, 48
"""Pixels along an edge; channels at full and at half resolution."""
SHOWN, PICTURED = 7, (16, 256)
KINDS = {"-": "fresh", "--": "training"}
TICKS = {"digits": (0.1, 0.2, 0.3, 0.5, 0.8), "patches": (0.04, 0.1, 0.2, 0.3)}
METRICS = ("test", "train", "nearest_ratio", "copied")


def init(key: Any, d: int) -> dict[str, Any]:
    """Filters, 9 inputs x outputs, of variance 2 / (9 inputs); the last are small."""
    shapes = {
        "fine": (9 * 2, FINE),
        "down": (9 * FINE, COARSE),
        "coarse": (9 * COARSE, COARSE),
        "up": (9 * (FINE + COARSE // 4), FINE),
        "last": (9 * FINE, 1),
    }
    made = zip(shapes.items(), jax.random.split(key, len(shapes)), strict=True)
    filters = {name: jax.random.normal(k, shape) * (2 / shape[0]) ** 0.5 for (name, shape), k in made}
    return filters | {"last": 1e-2 * filters["last"]}


def convolved(image: Any, filters: Any) -> Any:
    """Of the same size, with zeros around the image (side, side, channels): one product with its nine shifts.

    XLA's own convolutions, and their gradients above all, take several times as long on a CPU.
    """
    side = image.shape[0]
    around = jnp.pad(image, ((1, 1), (1, 1), (0, 0)))
    shifts = [around[i : i + side, j : j + side] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=-1) @ filters


def halved(image: Any) -> Any:
    """Means of 2 x 2 pixels."""
    side = image.shape[0] // 2
    return image.reshape(side, 2, side, 2, -1).mean(axis=(1, 3))


def doubled(image: Any) -> Any:
    """A quarter of the channels for each of 2 x 2 pixels."""
    side, _, channels = image.shape
    parts = image.reshape(side, side, 2, 2, channels // 4)
    return parts.transpose(0, 2, 1, 3, 4).reshape(2 * side, 2 * side, channels // 4)


def network(law: simdiff.data.PointSet) -> simdiff.models.Network:
    """It sees pixels, where trials have images in the eigenbasis of their covariance, and the noise level."""
    basis = law.basis().astype(np.float32)

    def apply(filters: dict[str, Any], x: Any, t: Any) -> Any:
        root = jnp.sqrt(-jnp.expm1(-2.0 * t))
        level = jnp.full((SIDE, SIDE), jnp.log(root) + t)
        image = jnp.stack([(x @ basis).reshape(SIDE, SIDE), level], axis=-1)
        fine = jax.nn.gelu(convolved(image, filters["fine"]))
        coarse = jax.nn.gelu(convolved(halved(fine), filters["down"]))
        coarse = coarse + jax.nn.gelu(convolved(coarse, filters["coarse"]))
        both = jnp.concatenate([fine, doubled(coarse)], axis=-1)
        image = convolved(jax.nn.gelu(convolved(both, filters["up"])), filters["last"])
        return root * x + basis @ image.reshape(-1)

    return simdiff.models.Network(init, apply, predicts="noise", extrapolates=False)


def problem(law: simdiff.data.PointSet, n: int) -> simdiff.NetworkSampling:
    """Training on n images."""
    trainer = simdiff.trainers.Optax("adam", RATE, STEPS, BATCH, "fresh", records=18)
    schedule = simdiff.sampling.DDPM(50, 2e-3, 0.2)
    return simdiff.NetworkSampling(law, network(law), trainer, n / law.only_size, schedule, samples=32)


def measured(name: str, n: int) -> pd.DataFrame:
    """Means and standard errors at every recorded step, and those of the best step of every trial."""
    rows = simdiff.simulate(problem(LAWS[name], n), trials=TRIALS, seed=SEED)
    best = rows.loc[rows.groupby("trial")["test"].idxmin()]
    grouped = rows.groupby("time")[list(METRICS)]
    found = grouped.mean().join(grouped.sem(), rsuffix="_sem").rename_axis("step").reset_index()
    found.insert(0, "data", name)
    found.insert(1, "n", n)
    logs = np.log(best["time"])
    stop = {"best_step": np.exp(logs.mean()), "best_step_log_sem": logs.sem()}
    return found.assign(**stop, least_test=best["test"].mean(), least_test_sem=best["test"].sem())


def curves(axes: Any, table: pd.DataFrame) -> None:
    """Losses, with the best steps, and nearest distances."""
    for number, (_, rows) in enumerate(table.groupby("n")):
        colour, best = f"C{number}", rows.iloc[0]
        around = best["best_step"] * np.abs(np.expm1(best["best_step_log_sem"] * np.array([[-1.0], [1.0]])))
        axes[0].errorbar(rows["step"], rows["test"], rows["test_sem"], c=colour, lw=1.2)
        axes[0].plot(rows["step"], rows["train"], c=colour, ls="--", lw=1.2)
        place = best["best_step"], best["least_test"], best["least_test_sem"], around
        reached = best["best_step"] + around[1, 0] < 0.99 * STEPS
        kind = {"marker": "o", "mfc": colour} if reached else {"marker": ">", "mfc": "w"}
        axes[0].errorbar(*place, ms=6, mec="k", ecolor="k", capsize=2, zorder=5, **kind)
        axes[1].errorbar(rows["step"], rows["nearest_ratio"], rows["nearest_ratio_sem"], c=colour, lw=1.2)
    for ax in axes:
        ax.set(xscale="log", xlim=(8, 1.2 * STEPS), xlabel="step")


def compared(block: Any, name: str, n: int) -> None:
    """Samples above the training images that are nearest to them; a pair shares its grey levels."""
    law = LAWS[name]
    made = generated_samples(problem(law, n), seed=SEED)
    samples, nearest = made.samples[0, :SHOWN], made.points[0, made.nearest()[0, :SHOWN]]
    shown = [pictures(law, samples), pictures(law, nearest)]
    places = {"wspace": 0.08, "hspace": 0.08, "left": 0.14, "right": 0.99, "top": 0.86, "bottom": 0.03}
    axes = block.subplots(2, SHOWN, gridspec_kw=places)
    for column, pair in zip(axes.T, zip(*shown, strict=True), strict=True):
        for place, image in zip(column, pair, strict=True):
            grey = {"cmap": "gray_r" if name == "digits" else "gray", "aspect": "auto"}
            place.imshow(image, **grey, vmin=np.min(pair), vmax=np.max(pair))
            place.set(xticks=[], yticks=[])
    for place, label in zip(axes[:, 0], ("sample", "nearest"), strict=True):
        place.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4, fontsize=8)
    block.suptitle(f"{name}, n = {n}: samples after {STEPS} steps, and training images", fontsize=9, x=0.56)


def legend() -> list[Any]:
    """Of lines and dots."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], c=f"C{k}", label=f"n = {n}") for k, n in enumerate(COUNTS)]
    lines += [Line2D([], [], c="0.4", ls=style, label=f"{of} images") for style, of in KINDS.items()]
    dots = {"best stopped": {"marker": "o", "mfc": "0.7"}, "not before the end": {"marker": ">", "mfc": "w"}}
    return lines + [Line2D([], [], ls="", mec="k", label=of, **dot) for of, dot in dots.items()]


def figure(table: pd.DataFrame) -> None:
    """A band for each law: curves on the left, images on the right."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    canvas, places = Figure(figsize=(12.5, 6.4)), {"left": 0.09, "right": 0.98, "bottom": 0.15, "top": 0.96}
    for band, name in zip(canvas.subfigures(len(LAWS), 1), LAWS, strict=True):
        left, right = band.subfigures(1, 2, width_ratios=(1.35, 1))
        axes = left.subplots(1, 2, gridspec_kw=places | {"wspace": 0.27})
        curves(axes, table[table["data"] == name])
        axes[0].set(yscale="log", ylabel=f"{name}: loss")
        axes[0].yaxis.set(major_formatter=lambda y, _: f"{y:.2g}", minor_formatter=NullFormatter())
        axes[0].set_yticks(TICKS[name])
        axes[1].set(ylim=(0, 1.1), ylabel="nearest distance, training / fresh")
        for block, n in zip(right.subfigures(len(PICTURED), 1), PICTURED, strict=True):
            compared(block, name, n)
        if name == next(iter(LAWS)):
            axes[1].legend(handles=legend(), frameon=False, fontsize=8, loc="lower left")
    canvas.savefig(RESULTS / "convolution.png", dpi=150)


def main() -> None:
    """Run, store, draw."""
    found = []
    for name, n in itertools.product(LAWS, COUNTS):
        found.append(measured(name, n))
        print(found[-1].iloc[-1].to_string(), flush=True)
    table = pd.concat(found, ignore_index=True)
    about = facts("python benchmarks/convolution.py", seed=SEED, trials=TRIALS, batch=BATCH, rate=RATE)
    store("convolution", table, about, quiet=True)
    figure(table)


if __name__ == "__main__":
    main()
