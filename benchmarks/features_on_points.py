"""Random features trained on images, at given weights: trials against the leave-one-out theory.

    python benchmarks/features_on_points.py           # digits (40 components) and 8 x 8 patches
    python benchmarks/features_on_points.py digits    # one data set, what is not stored yet

tanh features at p/d = 1 and 3, m = 1 and 4 noise draws, N/d = 1 and 4, ridge 0.01, t = 0.1. Weights are
drawn once; trials, by NumPy alone, differ in training set and noise. Deviations are those of the simulated
mean, relative to theory; `deviation_gaussian` is that from the theory of Gaussian data of their covariance.
`met`: test and train within 1% or two standard errors, the theory's own noise, from two seeds, included.
Stored in results/features_on_points.csv.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.analysis import errors_given_weights
from simdiff.data import Digits, Patches, PointSet
from simdiff.trainers import Ridge

LAWS = {"digits": Digits(components=40), "patches 8": Patches(8)}
WIDTHS, DRAWS, RATIOS, RIDGE, LEVEL, TRIALS, SEED, WITHIN = (
    (1.0, 3.0),
    (1, 4),
    (1.0, 4.0),
    0.01,
    0.1,
    60,
    0,
    0.01,
)
SEEDS = 2


def simulated(law: PointSet, weights: np.ndarray, n: int, m: int) -> np.ndarray:
    """(trials, 2): test and train."""
    rng, points, d = np.random.default_rng(SEED), law.population(), law.only_size
    a, h, rows = math.exp(-LEVEL), -math.expm1(-2 * LEVEL), []

    def noisy(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = rng.standard_normal(x.shape)
        return np.tanh((a * x + math.sqrt(h) * z) @ weights.T / math.sqrt(d)), z

    for _ in range(TRIALS):
        f, z = noisy(np.repeat(points[rng.integers(len(points), size=n)], m, axis=0))
        b = -np.linalg.solve(f.T @ f / len(f) + RIDGE * np.eye(f.shape[1]), f.T @ z / len(f))
        fresh, noise = noisy(points[rng.integers(len(points), size=4000)])
        rows.append((np.mean((noise + fresh @ b) ** 2), np.mean((z + f @ b) ** 2)))
    return np.array(rows)


def compared(name: str, width: float, m: int, psi_n: float) -> list[dict[str, Any]]:
    """A row for test and one for train."""
    law = LAWS[name]
    d = law.only_size
    weights = np.random.default_rng(SEED + 1).standard_normal((round(width * d), d))
    model = simdiff.models.RandomFeatures(width)
    problem = simdiff.DenoisingScoreMatching(law, model, Ridge(RIDGE), psi_n, m, LEVEL)
    start = time.perf_counter()
    own = [errors_given_weights(problem, weights, seed) for seed in range(SEEDS)]
    seconds = (time.perf_counter() - start) / SEEDS
    gaussian = simdiff.predict(problem, theory="gaussian_equivalence")
    trials, rows = simulated(law, weights, round(psi_n * d), m), []
    for metric, values in zip(("test", "train"), trials.T, strict=True):
        theory = np.array([each[metric] for each in own])
        mean, error = values.mean(), values.std() / TRIALS**0.5
        noise = theory.std(ddof=1) / SEEDS**0.5
        off, both = mean / theory.mean() - 1.0, math.hypot(error, noise) / theory.mean()
        row = {"data": name, "d": d, "p/d": width, "m": m, "psi_n": psi_n, "metric": metric}
        row |= {"theory": theory.mean(), "theory_noise": noise, "estimate": mean, "stderr": error}
        row |= {
            "deviation": off,
            "relative_stderr": both,
            "deviation_gaussian": mean / gaussian[metric] - 1.0,
        }
        rows.append(row | {"met": abs(off) <= max(WITHIN, 2.0 * both), "seconds": seconds})
    return rows


def main(words: list[str]) -> None:
    """Compare and store, point by point; points that are stored are kept."""
    path, names = RESULTS / "features_on_points.csv", words or list(LAWS)
    keys = ["data", "p/d", "m", "psi_n"]
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({key: [] for key in keys})
    about = {"seed": SEED, "trials": TRIALS, "within": WITHIN, "ridge": RIDGE, "t": LEVEL}
    for case in itertools.product(names, WIDTHS, DRAWS, RATIOS):
        if (table[keys] == list(case)).all(axis=1).any():
            continue
        rows = pd.DataFrame(compared(*case))
        print(rows.drop(columns=["d", "theory_noise"]).to_string(index=False, header=False), flush=True)
        table = pd.concat([table, rows], ignore_index=True)
        store(
            "features_on_points", table, facts("python benchmarks/features_on_points.py", **about), quiet=True
        )


if __name__ == "__main__":
    main(sys.argv[1:])
