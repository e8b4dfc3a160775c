"""Averages over the training law of a point set's diffusion model: nodes (x, t) with targets and weights.

u is uniform on [0, 1], t = time(u), x_0 one of the points, z normal. Weights of the loss grow like 1 / t at
small times, so nodes in u lie on panels that double in length from u = 0 until they are as long as the
features of time vary, and are Gauss-Legendre nodes there. At each of these times, in one dimension, x_0 and z
are summed over, z by the trapezoidal rule with a step of the features' grain; in more, x_0 is summed over and
z are Sobol points, scrambled anew at every time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from simdiff.sampling.training_targets import Pairs, make_pairs
from simdiff.theory.protocols import Ensemble

LEGENDRE = 8
"""Nodes in u on every panel."""

REACH = 6.5
"""Standard deviations of the noise kept: 1e-10 of its mass lies beyond."""

SOBOL = 17
"""log2 of the number of nodes, roughly, in two dimensions and more; 2 less for features that are no products,
with which every node costs more."""

CHUNK = 8192


class TrainingLaw(NamedTuple):
    """Nodes of the training law: `pairs` with weights l, and probabilities `mass` that sum to 1.

    Every `per_time` consecutive nodes share their time; some of them may have no mass.
    """

    pairs: Pairs
    mass: np.ndarray
    per_time: int

    def chunks(self) -> Iterator[tuple[Pairs, np.ndarray]]:
        """Pieces of CHUNK nodes that have mass, the last one filled with nodes of mass 0."""
        index = np.flatnonzero(self.mass)
        for start in range(0, index.size, CHUNK):
            part = index[start : start + CHUNK]
            fill = CHUNK - part.size
            rows = np.pad(part, (0, fill))
            yield Pairs(*(column[rows] for column in self.pairs)), np.pad(self.mass[part], (0, fill))


def training_law(problem: Ensemble) -> TrainingLaw:
    """Nodes for a problem with `data`, `model`, `schedule` and `weight` as `EnsembleSampling` has them."""
    points, masses = problem.data.arrays()
    u, share = _times(_panels(problem.schedule, problem.model.grain[1]))
    level = problem.schedule.level(problem.schedule.time(jnp.asarray(u)))
    if points.shape[1] == 1:
        z, density = _line(problem.model.grain[0], np.sqrt(np.asarray(level.sig2)))
    else:
        fewer = 0 if hasattr(problem.model, "factors") else 2
        z, density = _sobol(points.shape, u.size, SOBOL - fewer)
    return _combined(problem, (points, masses), (u, share), (z, density))


def _combined(
    problem: Ensemble,
    data: tuple[np.ndarray, np.ndarray],
    times: tuple[np.ndarray, np.ndarray],
    noise: tuple[np.ndarray, np.ndarray],
) -> TrainingLaw:
    """All combinations of u (T,), x_0 (M, D) and z (T, K, D), with their probabilities."""
    (points, masses), (u, share), (z, density) = data, times, noise
    T, K, D = z.shape
    M = len(points)
    mass = share[:, None, None] * masses[:, None] * density[:, None, :]
    x0 = np.broadcast_to(points[:, None, :], (T, M, K, D)).reshape(-1, D)
    z = np.broadcast_to(z[:, None], (T, M, K, D)).reshape(-1, D)
    t = problem.schedule.time(jnp.asarray(np.repeat(u, M * K)))
    kind = problem.model.target, problem.weight
    pairs = make_pairs(jnp.asarray(x0), jnp.asarray(z), t, problem.schedule.level(t), *kind)
    return TrainingLaw(pairs, mass.ravel() / mass.sum(), M * K)


def _panels(schedule: Any, grain: float) -> np.ndarray:
    """Edges of panels of [0, 1]: doubling in length once t has doubled, and at most 3 grains long."""
    small = 1e-7
    speed = (float(schedule.time(small)) - schedule.t_min) / small
    first = min(0.5, schedule.t_min / speed)
    edges = [0.0]
    while edges[-1] < 1.0:
        length = min(max(edges[-1], first), 3.0 * grain)
        edges.append(min(1.0, edges[-1] + length))
    return np.array(edges)


def _times(panels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on all panels."""
    x, w = np.polynomial.legendre.leggauss(LEGENDRE)
    half = 0.5 * np.diff(panels)[:, None]
    return (panels[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()


def _line(grain: float, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z (T, K, 1) and their shares (T, K), as many as the finest grid has; none on the others' ends."""
    step = np.minimum(0.5, 1.2 * grain / sigma)
    reach = np.ceil(REACH / step)
    number = np.arange(-reach.max(), reach.max() + 1)
    z = step[:, None] * number
    density = np.where(np.abs(number) <= reach[:, None], step[:, None] * np.exp(-0.5 * z * z), 0.0)
    return np.where(density > 0, z, 0.0)[:, :, None], density


def _sobol(shape: tuple[int, int], times: int, total: int) -> tuple[np.ndarray, np.ndarray]:
    """z (T, K, D) of equal shares (T, K), about 2^total / (T M) of them at a time."""
    from scipy.stats import qmc

    M, D = shape
    count = max(3, round(total - math.log2(times * M)))
    rng = np.random.default_rng(0)
    draws = np.stack([qmc.Sobol(D, rng=rng).random_base2(count) for _ in range(times)])
    return ndtri(np.clip(draws, 1e-12, 1.0 - 1e-12)), np.full(draws.shape[:2], 0.5**count)
