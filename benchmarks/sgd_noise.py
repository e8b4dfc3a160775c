"""Stochastic gradient descent with fresh noise against the m = infinity flow: the excess over step and batch.

    python benchmarks/sgd_noise.py

A step on `batch` pairs with noise drawn anew follows descent on the average over noise and samples, whose
path is exact (`theory=gradient_flow` for full-batch SGD at m = inf), plus gradient noise of variance 1/batch.
The test error then exceeds that of the noiseless path by a term proportional to step / batch where steps are
small. Measured here at one size, at training time 8, as the mean over trials minus the mean over as many
trials of noiseless descent with the same step; the exponents of step and batch are fitted where the excess
is below 5%.
Stored in results/sgd_noise.csv: step, batch, excess of the test error and its standard error, relative.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
from common import facts, store

import simdiff

D, TRIALS, TIME, SEED = 64, 96, 8.0, 0
STEPS = (0.05, 0.1, 0.2, 0.4)
BATCHES = (8, 32, 128, 512)


def descent(step: float, batch: int | None) -> simdiff.DenoisingScoreMatching:
    """Descent to training time 8 with fresh noise, or along the exact average where `batch` is None."""
    noise = "fixed" if batch is None else "fresh"
    steps = round(TIME / step)
    trainer = simdiff.trainers.Optax(
        "sgd", learning_rate=step, steps=steps, batch=batch, noise=noise, records=1
    )
    model = simdiff.models.RandomFeatures(1.0)
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=math.inf, t=0.2)


def final(problem: simdiff.DenoisingScoreMatching) -> np.ndarray:
    """The test errors at the last step, (trials,)."""
    rows = simdiff.simulate(problem, d=D, trials=TRIALS, seed=SEED)
    return rows[rows["time"] == rows["time"].max()]["test"].to_numpy()


def table() -> pd.DataFrame:
    """One row per step and batch."""
    rows = []
    for step in STEPS:
        base = final(descent(step, None))
        flow = dataclasses.replace(descent(step, None), trainer=simdiff.trainers.GradientFlow((TIME,)))
        limit = float(simdiff.predict(flow.at_size(D))["test"][0])
        for batch in BATCHES:
            noisy = final(descent(step, batch))
            excess = noisy.mean() - base.mean()
            error = math.sqrt((noisy.var(ddof=1) + base.var(ddof=1)) / TRIALS)
            rows.append({"step": step, "batch": batch, "flow_limit": limit, "noiseless": base.mean()})
            rows[-1] |= {"test": noisy.mean(), "excess": excess, "stderr": error}
            print({key: f"{value:.5g}" for key, value in rows[-1].items()}, flush=True)
    return pd.DataFrame(rows)


def exponents(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Exponents of step and batch in the excess, with standard errors: weighted least squares of logs."""
    small = rows["excess"] < 0.05 * rows["noiseless"]
    sure = rows[small & (rows["excess"] > 4 * rows["stderr"])]
    matrix = np.stack([np.ones(len(sure)), np.log(sure["step"]), np.log(sure["batch"])], axis=1)
    weight = (sure["excess"] / sure["stderr"]).to_numpy()
    scaled = matrix * weight[:, None]
    found = np.linalg.lstsq(scaled, np.log(sure["excess"].to_numpy()) * weight, rcond=None)[0]
    return found[1:], np.sqrt(np.diag(np.linalg.inv(scaled.T @ scaled)))[1:]


if __name__ == "__main__":
    rows = table()
    values, errors = exponents(rows)
    fitted = {
        f"exponent of {name}": f"{value:.3f} +- {error:.3f}"
        for name, value, error in zip(("step", "batch"), values, errors, strict=True)
    }
    about = {"seed": SEED, "d": D, "trials": TRIALS, "training time": TIME, **fitted}
    store("sgd_noise", rows, facts("python benchmarks/sgd_noise.py", **about))
