"""An independent simulation in plain NumPy, float64: the five metrics in training time at finite d.

A program of its own, like `finite_size`: `python finite_flow.py` prints extrapolated metrics as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os

if __name__ == "__main__":
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np
from finite_size import FLAT, TWO, gram
from theory_points import ERF, RELU, SIN, TANH, make

SIZES = (50, 100)
TRIALS = (40, 25)


@dataclasses.dataclass(frozen=True)
class GradientFlow:
    """A trainer as theory sees it."""

    times: tuple[float, ...]
    ridge: float
    step: float = 0.0

    solution = "path"

    @property
    def training_times(self) -> tuple[float, ...]:
        return self.times


def flow(times, point, step: float = 0.0):
    """`make(*point)`, whose ridge is the fifth number, trained to `times`."""
    problem = make(*point)
    problem.trainer, problem.times = GradientFlow(times, point[4], step), times
    return problem


POINTS = {
    "three draws, p < n m": flow((0.3, 3.0, 30.0, 1e3, 1e6), (1.5, 2.0, 3, 0.2, 0.0, RELU, TWO)),
    "two draws, p > n m": flow((0.3, 3.0, 30.0, 1e3, 1e6), (0.5, 2.0, 2, 0.1, 0.0, ERF, FLAT)),
    "infinitely many draws, ridge": flow(
        (0.3, 3.0, 30.0, 1e3, 1e6), (0.6, 1.5, math.inf, 0.3, 1e-3, SIN, TWO)
    ),
    "descent in long steps": flow((0.4, 1.2, 6.0, 40.0, 800.0), (1.0, 1.4, 1, 0.2, 1e-2, TANH), step=0.4),
}


def decays(trainer, x: np.ndarray) -> list[np.ndarray]:
    """What is left, at every time, of a deviation along an eigenvector of U + ridge of eigenvalue x."""
    if not trainer.step:
        return [np.exp(-tau * x) for tau in trainer.times]
    left, found = np.ones_like(x), []
    for count in range(1, round(trainer.times[-1] / trainer.step) + 1):
        left = left - trainer.step * x * left
        found += [left.copy()] * sum(round(tau / trainer.step) == count for tau in trainer.times)
    return found


def trial(problem, d: int, rng: np.random.Generator) -> np.ndarray:
    """Test, train, score, memorization and objective of one training run: (metric, time)."""
    a, h = math.exp(-problem.t), -math.expm1(-2 * problem.t)
    values, shares = problem.data.spectrum()
    s = np.repeat(values, np.round(shares * d).astype(int))
    n, p, ridge = round(problem.psi_n * d), round(problem.model.psi_p * d), problem.trainer.ridge
    layer, x = rng.standard_normal((p, d)), rng.standard_normal((n, d)) * np.sqrt(s)
    u, v, energy = gram(problem, x, layer, rng)
    eigenvalues, basis = np.linalg.eigh(u)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    target = basis.T @ v

    def features(points, z):
        pre = (a * points + math.sqrt(h) * z) @ layer.T / math.sqrt(d)
        return problem.model.activation.fn(pre) @ basis

    fresh, z = rng.standard_normal((8 * d, d)) * np.sqrt(s), rng.standard_normal((8 * d, d))
    again = rng.standard_normal((n, d))
    minus_score = (a * fresh + math.sqrt(h) * z) / (a * a * s + h)
    f, f_again = features(fresh, z), features(x, again)
    rows = []
    for left in decays(problem.trainer, eigenvalues + ridge):
        b = -((1.0 - left) / np.maximum(eigenvalues + ridge, 1e-12))[:, None] * target
        train = energy + np.sum(b * (2 * target + eigenvalues[:, None] * b)) / d
        out = f @ b
        score = np.mean((out / math.sqrt(h) + minus_score) ** 2)
        memorization = np.mean((f_again @ b + again) ** 2)
        rows.append([np.mean((out + z) ** 2), train, score, memorization, train + ridge * np.sum(b * b) / d])
    return np.array(rows).T


def extrapolated(name: str) -> tuple[list, list]:
    """Metrics at d = infinity from two sizes, the difference linear in 1/d, and standard errors."""
    means, errors = [], []
    for d, count in zip(SIZES, TRIALS, strict=True):
        rng = np.random.default_rng([d, len(name)])
        runs = np.array([trial(POINTS[name], d, rng) for _ in range(count)])
        means.append(runs.mean(axis=0))
        errors.append(runs.std(axis=0, ddof=1) / math.sqrt(count))
    return (2 * means[1] - means[0]).tolist(), np.hypot(2 * errors[1], errors[0]).tolist()


if __name__ == "__main__":
    print(json.dumps({name: extrapolated(name) for name in POINTS}))
