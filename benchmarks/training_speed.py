"""Gradient training with fresh noise: steps per second of the Optax trainer against a plain PyTorch loop.

    python benchmarks/training_speed.py          # or: python benchmarks/speed.py training

psi_p = 4, psi_n = 2, t = 0.1, tanh, plain SGD in float32, as many pairs per step as there are samples. Our
steps are those of trials as the engine runs them; the times of two lengths of training are subtracted, so
that setting a trial up and its metrics are outside. PyTorch runs `torch_loop.py` in a process of its own, in
turn with ours, under the interpreter that SIMDIFF_TORCH_PYTHON names (default: this one); where torch cannot
be imported the reason is printed, and the ratio left empty in a table that is not stored.

A step is three products of n x d by p, 6 n d p flops: `share` is what a loop reaches of the product rate
that its own library shows in the same run. `bound` is 1 / share of the PyTorch loop: no program that makes
the same products at the same rate can be faster by more. Stored in results/speed_training.csv.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import pandas as pd
from common import engine_seconds, facts, peak, store

import simdiff

COMMAND = "python benchmarks/speed.py training"
TURNS = 2


def problem(d: int, steps: int) -> simdiff.DenoisingScoreMatching:
    """Training with `steps` steps of 2 d pairs."""
    trainer = simdiff.trainers.Optax("sgd", 0.1, steps, batch=2 * d, noise="fresh", records=1)
    model = simdiff.models.RandomFeatures(4.0)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=math.inf, t=0.1)


def ours(d: int, steps: int) -> float:
    """Steps a second, summed over trials that run at the same time."""
    short, long = (engine_seconds(problem(d, length), d, 1) for length in (1, 1 + steps))
    return steps / (long - short)


def theirs(d: int, least: float) -> tuple[float, float] | str:
    """(steps, matrix-product flops) a second of the PyTorch loop, or why there is none."""
    python = os.environ.get("SIMDIFF_TORCH_PYTHON", sys.executable)
    script = Path(__file__).parent / "torch_loop.py"
    words = [python, str(script), str(d), str(2 * d), str(least)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"no PyTorch loop: {last} (install the extra `bench`, or set SIMDIFF_TORCH_PYTHON)"
    return float(done.stdout.split()[0]), float(done.stdout.split()[1])


def measure(d: int, steps: int, least: float) -> dict[str, float]:
    """The best of `TURNS` turns of each, the two in turn."""
    flops, mine, top, other = 6.0 * 2 * d * d * 4 * d, 0.0, 0.0, (math.nan, math.nan)
    for _ in range(TURNS):
        found = theirs(d, least)
        if isinstance(found, str):
            print(found, flush=True)
        else:
            other = tuple(max(new, old) if old == old else new for new, old in zip(found, other, strict=True))
        mine, top = max(mine, ours(d, steps)), max(top, peak("float32", 2000))
    row = {"d": d, "steps_per_second": mine, "torch_steps_per_second": other[0], "ratio": mine / other[0]}
    row |= {"share": mine * flops / top, "torch_share": other[0] * flops / other[1]}
    return row | {
        "bound": 1 / row["torch_share"],
        "product_rate": top / 1e9,
        "torch_product_rate": other[1] / 1e9,
    }


def main(sizes: tuple[int, ...] = (100, 400), scale: float = 1.0) -> None:
    """Measure and store; `scale` shortens every turn."""
    rows = []
    for d in sizes:
        rows.append(measure(d, max(2, round(scale * 1.2e7 / d**2)), 6.0 * scale))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    if table["ratio"].notna().all():
        about = facts(COMMAND, psi_p=4, psi_n=2, batch="2 d", devices=len(jax.local_devices()))
        store("speed_training", table, about)


if __name__ == "__main__":
    main()
