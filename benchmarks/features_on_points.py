"""Random features trained on images, at given weights: trials against the leave-one-out theory.

    python benchmarks/features_on_points.py           # digits (40 components) and 8 x 8 patches
    python benchmarks/features_on_points.py digits    # one data set, what is not stored yet
    python benchmarks/features_on_points.py FILE      # images of your own, 64 leading components, p/d = 1

tanh features at p/d = 1 and 3, m = 1, 4 and infinity, N/d = 1 and 4, ridge 0.01, t = 0.1. Weights are drawn
once; trials, by NumPy alone, differ in training set and noise. At m = infinity the noise average is exact, by
a series of Hermite functions, and so is the test error over all images. Deviations are those of the simulated
mean, relative to theory; `deviation_gaussian` is that from the theory of Gaussian data of their covariance.
`met`: test and train within 1% or two standard errors, the theory's own noise, from two seeds, included.
Stored in results/features_on_points.csv.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.analysis import errors_given_weights
from simdiff.data import Digits, Images, Patches, PointSet
from simdiff.trainers import Ridge

LAWS: dict[str, PointSet] = {"digits": Digits(components=40), "patches 8": Patches(8)}
WIDTHS, DRAWS, RATIOS, RIDGE, LEVEL = (1.0, 3.0), (1, 4, math.inf), (1.0, 4.0), 0.01, 0.1
SEED, SEEDS, WITHIN = 0, 2, 0.01
TRIALS, EXACT_TRIALS = 60, 400
"""At a finite m, and at m = infinity, where a trial costs less."""

ORDERS, NODES = 8, 40
"""Terms of the series, and nodes of its integrals."""


class Averaged:
    """Second moments of features and noise at given weights, the noise averaged."""

    def __init__(self, points: np.ndarray, weights: np.ndarray) -> None:
        norm, d = np.linalg.norm(weights, axis=1), weights.shape[1]
        self.unit = weights / norm[:, None]
        self.powers = [(self.unit @ self.unit.T) ** k for k in range(ORDERS)]
        nodes, shares = np.polynomial.hermite_e.hermegauss(NODES)
        mean, scale = math.exp(-LEVEL) * points @ weights.T, math.sqrt(-math.expm1(-2 * LEVEL)) * norm
        self.psi, self.square = np.zeros((ORDERS, *mean.shape)), np.zeros_like(mean)
        for node, share in zip(nodes, shares / math.sqrt(2 * math.pi), strict=True):
            values = np.tanh((mean + scale * node) / math.sqrt(d))
            for k in range(ORDERS):
                one = [0.0] * k + [1.0 / math.factorial(k) ** 0.5]
                self.psi[k] += share * np.polynomial.hermite_e.hermeval(node, one) * values
            self.square += share * values**2

    def moments(self, which: Any) -> tuple[np.ndarray, np.ndarray]:
        """E f f^T and E f z^T over some points."""
        psi, own = self.psi[:, which], self.square[which].mean(axis=0)
        u = sum(self.powers[k] * (psi[k].T @ psi[k]) for k in range(ORDERS)) / psi.shape[1]
        np.fill_diagonal(u, own)
        return u, psi[1].mean(axis=0)[:, None] * self.unit


def exact_trials(law: PointSet, weights: np.ndarray, n: int) -> np.ndarray:
    """(trials, 2): test and train at m = infinity."""
    rng, points, d = np.random.default_rng(SEED), law.population(), law.only_size
    averaged = Averaged(points, weights)
    everything, rows = averaged.moments(slice(None)), []

    def loss(b: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
        return 1.0 + float(np.sum(b * (2.0 * v + u @ b))) / d

    for _ in range(EXACT_TRIALS):
        own = averaged.moments(rng.integers(len(points), size=n))
        b = -np.linalg.solve(own[0] + RIDGE * np.eye(len(weights)), own[1])
        rows.append((loss(b, *everything), loss(b, *own)))
    return np.array(rows)


def simulated(law: PointSet, weights: np.ndarray, n: int, m: float) -> np.ndarray:
    """(trials, 2): test and train."""
    if math.isinf(m):
        return exact_trials(law, weights, n)
    rng, points, d = np.random.default_rng(SEED), law.population(), law.only_size
    a, h, rows = math.exp(-LEVEL), -math.expm1(-2 * LEVEL), []

    def noisy(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = rng.standard_normal(x.shape)
        return np.tanh((a * x + math.sqrt(h) * z) @ weights.T / math.sqrt(d)), z

    for _ in range(TRIALS):
        f, z = noisy(np.repeat(points[rng.integers(len(points), size=n)], int(m), axis=0))
        b = -np.linalg.solve(f.T @ f / len(f) + RIDGE * np.eye(f.shape[1]), f.T @ z / len(f))
        fresh, noise = noisy(points[rng.integers(len(points), size=4000)])
        rows.append((np.mean((noise + fresh @ b) ** 2), np.mean((z + f @ b) ** 2)))
    return np.array(rows)


def compared(name: str, width: float, m: float, psi_n: float) -> list[dict[str, Any]]:
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
        mean, error = values.mean(), values.std() / len(values) ** 0.5
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
    files = [word for word in words if os.path.exists(word)]
    own = {f"images {i}": Images(path, components=64) for i, path in enumerate(files, 1)}
    LAWS.update(own)
    path, names = RESULTS / "features_on_points.csv", [*own] or words or list(LAWS)
    widths = WIDTHS[:1] if own else WIDTHS
    keys = ["data", "p/d", "m", "psi_n"]
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({key: [] for key in keys})
    command = "python benchmarks/features_on_points.py" + " FILE" * bool(files)
    about = {
        "seed": SEED,
        "trials": {"finite m": TRIALS, "m = inf": EXACT_TRIALS},
        "within": WITHIN,
        "ridge": RIDGE,
        "t": LEVEL,
    }
    for case in itertools.product(names, widths, DRAWS, RATIOS):
        if (table[keys] == list(case)).all(axis=1).any():
            continue
        rows = pd.DataFrame(compared(*case))
        print(rows.drop(columns=["d", "theory_noise"]).to_string(index=False, header=False), flush=True)
        table = pd.concat([table, rows], ignore_index=True)
        store("features_on_points", table, facts(command, **about), quiet=True)


if __name__ == "__main__":
    main(sys.argv[1:])
