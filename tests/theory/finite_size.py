"""An independent simulation in plain NumPy, float64: the five metrics at finite d.

A program of its own: `python finite_size.py` prints the extrapolated metrics of `POINTS` as JSON. It
runs on one BLAS thread, because on shared cores small threaded products are many times slower.
"""

from __future__ import annotations

import json
import math
import os

if __name__ == "__main__":
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np
from theory_points import ERF, RELU, SIN, TANH, make

SIZES = (60, 120)
TRIALS = (50, 25)
TWO = ([0.25, 4.0], [0.8, 0.2])
FLAT = ([0.0, 2.5], [0.6, 0.4])

POINTS = {
    "one draw": make(1.5, 3.0, 1, 0.1, 1e-3, TANH),
    "three draws, p < n m": make(1.5, 2.5, 3, 0.2, 1e-3, RELU, TWO),
    "three draws, p > n m, flat directions": make(0.5, 2.0, 3, 0.1, 1e-2, ERF, FLAT),
    "infinitely many draws": make(0.6, 1.5, math.inf, 0.3, 1e-3, SIN, TWO),
}


def gram(problem, x, weights, rng):
    """U, V and mean |z|^2 / d over the training pairs; exact averages over the noise at m = infinity."""
    a, h = math.exp(-problem.t), -math.expm1(-2 * problem.t)
    d = x.shape[1]
    if math.isinf(problem.m):
        return sine_gram(a * x @ weights.T / math.sqrt(d), h * weights @ weights.T / d, h, weights)
    u, v, energy = 0.0, 0.0, 0.0
    for _ in range(problem.m):
        z = rng.standard_normal(x.shape)
        f = problem.model.activation.fn((a * x + math.sqrt(h) * z) @ weights.T / math.sqrt(d))
        u, v, energy = u + f.T @ f, v + f.T @ z, energy + np.sum(z * z)
    pairs = len(x) * problem.m
    return u / pairs, v / pairs, energy / pairs / d


def sine_gram(mean, cov, h, weights):
    """E sin sin and E z sin for jointly Gaussian pre-activations, by the characteristic function."""
    var = np.diag(cov)
    s, c, decay = np.sin(mean), np.cos(mean), np.exp(-0.5 * (var[:, None] + var))
    difference, total = c.T @ c + s.T @ s, c.T @ c - s.T @ s  # sums of cos(mean -+ mean')
    u = 0.5 * decay * (np.exp(cov) * difference - np.exp(-cov) * total) / len(mean)
    v = math.sqrt(h / weights.shape[1]) * weights * (np.exp(-0.5 * var) * c.mean(axis=0))[:, None]
    return u, v, 1.0


def trial(problem, d: int, rng: np.random.Generator) -> list[float]:
    """Test, train, score, memorization and objective of one exact minimiser."""
    a, h = math.exp(-problem.t), -math.expm1(-2 * problem.t)
    values, shares = problem.data.spectrum()
    s = np.repeat(values, np.round(shares * d).astype(int))
    n, p, ridge = round(problem.psi_n * d), round(problem.model.psi_p * d), problem.trainer.ridge
    weights, x = rng.standard_normal((p, d)), rng.standard_normal((n, d)) * np.sqrt(s)
    u, v, energy = gram(problem, x, weights, rng)
    b = -np.linalg.solve(u + ridge * np.eye(p), v)
    train = energy + (2 * np.sum(b * v) + np.sum(b * (u @ b))) / d

    def output(points, z):
        pre = (a * points + math.sqrt(h) * z) @ weights.T / math.sqrt(d)
        return problem.model.activation.fn(pre) @ b

    fresh, z = rng.standard_normal((8 * d, d)) * np.sqrt(s), rng.standard_normal((8 * d, d))
    out = output(fresh, z)
    score = np.mean((out / math.sqrt(h) + (a * fresh + math.sqrt(h) * z) / (a * a * s + h)) ** 2)
    again = rng.standard_normal((n, d))
    memorization = np.mean((output(x, again) + again) ** 2)
    objective = train + ridge * np.sum(b * b) / d
    return [np.mean((out + z) ** 2), train, score, memorization, objective]


def extrapolated(name: str) -> tuple[list[float], list[float]]:
    """Metrics at d = infinity from two sizes, the difference linear in 1/d, and standard errors."""
    means, errors = [], []
    for d, count in zip(SIZES, TRIALS, strict=True):
        rng = np.random.default_rng([d, len(name)])
        rows = np.array([trial(POINTS[name], d, rng) for _ in range(count)])
        means.append(rows.mean(axis=0))
        errors.append(rows.std(axis=0, ddof=1) / math.sqrt(count))
    return (2 * means[1] - means[0]).tolist(), np.hypot(2 * errors[1], errors[0]).tolist()


if __name__ == "__main__":
    print(json.dumps({name: extrapolated(name) for name in POINTS}))
