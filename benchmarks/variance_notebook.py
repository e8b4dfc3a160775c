"""The yardstick of `variance_figures.py`: figures of arXiv 2504.12532 as a plain NumPy notebook makes them.

    python benchmarks/variance_notebook.py line 100 100000
    python benchmarks/variance_notebook.py square 100 100000

Everything that one writes by hand: one model after another, features on a grid of places and times once, the
model looked up on that grid while sampling. No theory. Prints one line of JSON: seconds and peak MiB.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time

import numpy as np
from scipy.interpolate import RegularGridInterpolator

B0, B1, STEPS, RIDGE = 0.1, 19.9, 30, 0.1
LINE_GRID, SQUARE_GRID = 1000, 200


def levels(t):
    exponent = B0 * t + 0.5 * B1 * t * t
    return np.exp(-exponent), 1.0 - np.exp(-2 * exponent), B0 + B1 * t


def bumps(x, low, high, count):
    spacing = (high - low) / (count - 1)
    centres = low + spacing * np.arange(count)
    return np.exp(-0.5 * ((x[:, None] - centres) / (0.5 * spacing)) ** 2) / (
        0.5 * spacing * math.sqrt(2 * math.pi)
    )


def waves(angle, count):
    n = np.arange(1, count // 2 + 1)
    both = [np.ones((len(angle), 1)), np.cos(angle[:, None] * n), np.sin(angle[:, None] * n)]
    return np.concatenate(both, axis=1)[:, :count]


def features(x, t, t_min, count, fourier):
    tables = [waves(c * math.pi / 1.5, count) if fourier else bumps(c, -1.5, 1.5, count) for c in x.T]
    tables.append(waves(t * 2 * math.pi / (1 - t_min), count) if fourier else bumps(t, t_min, 1.0, count))
    phi = tables[0]
    for table in tables[1:]:
        phi = (phi[:, :, None] * table[:, None, :]).reshape(len(x), -1)
    return phi


def train(points, P, t_min, count, fourier, rng):
    t = t_min + (1 - t_min) * rng.random(P)
    x0 = points[rng.integers(len(points), size=P)]
    alpha, sig2, _ = levels(t)
    x = alpha[:, None] * x0 + np.sqrt(sig2)[:, None] * rng.standard_normal(x0.shape)
    root = np.sqrt(alpha**2 / sig2 / P)[:, None]
    phi = root * features(x, t, t_min, count, fourier)
    gram = phi.T @ phi + RIDGE * np.eye(phi.shape[1])
    return np.linalg.solve(gram, phi.T @ (root * x0))


def generate(lookup, t_min, samples, dimension, rng):
    times = np.linspace(1.0, t_min, STEPS + 1)
    x = math.sqrt(levels(1.0)[1]) * rng.standard_normal((samples, dimension))
    for k in range(STEPS):
        alpha, sig2, beta = levels(times[k])
        score = (alpha * lookup(k, x) - x) / sig2
        x = x + (times[k] - times[k + 1]) * beta * (x + score)
    return x


def panel(points, P, t_min, count, fourier, models, samples):
    dimension = points.shape[1]
    axis = np.linspace(-4, 4, LINE_GRID if dimension == 1 else SQUARE_GRID)
    places = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    times = np.linspace(1.0, t_min, STEPS + 1)[:-1]
    table = np.stack([features(places, np.full(len(places), t), t_min, count, fourier) for t in times])
    rng = np.random.default_rng(0)
    densities = []
    for _ in range(models):
        W = train(points, P, t_min, count, fourier, rng)
        grid = table @ W
        if dimension == 1:
            lookup = lambda k, x, grid=grid: np.interp(x[:, 0], axis, grid[k, :, 0])[:, None]  # noqa: E731
        else:
            shape = (len(axis), len(axis), dimension)
            each = [
                RegularGridInterpolator((axis, axis), g.reshape(shape), bounds_error=False, fill_value=None)
                for g in grid
            ]
            lookup = lambda k, x, each=each: each[k](x)  # noqa: E731
        x = generate(lookup, t_min, samples, dimension, rng)
        edges = [np.linspace(-1.5, 1.5, 121 if dimension == 1 else 49)] * dimension
        densities.append(np.histogramdd(x, edges)[0] / samples)
    return np.mean(densities, axis=0)


def main(figure, models, samples):
    if figure == "line":
        points = np.array([[-1.0], [0.0], [1.0]])
        for t_min in (1e-4, 1e-3, 1e-2):
            for P in (64, 128, 256, 512, 1024):
                panel(points, P, t_min, 16, False, models, samples)
        return
    for fourier in (False, True):
        for angle in (0.0, math.pi / 8, math.pi / 4):
            turns = angle + np.arange(4) * math.pi / 2
            panel(np.stack([np.cos(turns), np.sin(turns)], 1), 500, 1e-3, 10, fourier, models, samples)


if __name__ == "__main__":
    start = time.perf_counter()
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mib": peak}))
