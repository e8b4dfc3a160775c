"""Averages over the training law of a point set's diffusion model: nodes (x, t) with targets and weights.

u is uniform on [0, 1], t = time(u), x_0 one of the points, z normal. Weights of the loss grow like 1 / t at
small times, so nodes in u lie on panels that double in length from u = 0 until they are as long as the
features of time vary. In one dimension x_0 and z are summed over, z by the trapezoidal rule with a step of
the features' grain; in more, (u, x_0, z) are scrambled Sobol points, more of them where weights are large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from simdiff.sampling.training_targets import Pairs, make_pairs

LEGENDRE = 8
"""Nodes in u on every panel."""

REACH = 6.5
"""Standard deviations of the noise kept: 1e-10 of its mass lies beyond."""

SOBOL = 15
"""log2 of the number of points in two dimensions and more."""

CHUNK = 8192


class Population(NamedTuple):
    """Nodes of the training law: `pairs` with weights l, and probabilities `mass` that sum to 1."""

    pairs: Pairs
    mass: np.ndarray

    def chunks(self) -> Iterator[tuple[Pairs, np.ndarray]]:
        """Pieces of CHUNK nodes, the last one filled with nodes of mass 0."""
        size = self.mass.size
        for start in range(0, size, CHUNK):
            index = np.minimum(np.arange(start, start + CHUNK), size - 1)
            real = np.arange(start, start + CHUNK) < size
            yield Pairs(*(part[index] for part in self.pairs)), np.where(real, self.mass[index], 0.0)


def population(problem: Any) -> Population:
    """Nodes for a problem with `data`, `model`, `schedule` and `weight` as `EnsembleSampling` has them."""
    points, masses = problem.data.arrays()
    panels = _panels(problem.schedule, problem.model.grain[1])
    if points.shape[1] == 1:
        u, x0, z, mass = _grid(problem, points, masses, panels)
    else:
        u, x0, z, mass = _sobol(problem, points, masses, panels)
    t = problem.schedule.time(jnp.asarray(u))
    level = problem.schedule.level(t)
    kind = problem.model.target, problem.weight
    return Population(make_pairs(jnp.asarray(x0), jnp.asarray(z), t, level, *kind), mass / mass.sum())


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


def _nodes(panels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on all panels."""
    x, w = np.polynomial.legendre.leggauss(LEGENDRE)
    half = 0.5 * np.diff(panels)[:, None]
    return (panels[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()


def _grid(
    problem: Any, points: np.ndarray, masses: np.ndarray, panels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(u, x_0, z, mass) of all combinations, D = 1."""
    u, w = _nodes(panels)
    sigma = np.sqrt(np.asarray(problem.schedule.level(problem.schedule.time(jnp.asarray(u))).sig2))
    parts = []
    for place, share, noise in zip(u, w, sigma, strict=True):
        step = min(0.5, 1.2 * problem.model.grain[0] / noise)
        count = math.ceil(REACH / step)
        z = step * np.arange(-count, count + 1)
        density = share * step * np.exp(-0.5 * z * z)
        rows = np.repeat(np.arange(len(points)), z.size)
        mass = masses[rows] * np.tile(density, len(points))
        parts.append((np.full(mass.size, place), points[rows], np.tile(z, len(points))[:, None], mass))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))  # type: ignore[return-value]


def _sobol(
    problem: Any, points: np.ndarray, masses: np.ndarray, panels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(u, x_0, z, mass) of scrambled Sobol points; u by panels, half of them where the weights l are."""
    D = points.shape[1]
    draws = qmc.Sobol(D + 2, rng=np.random.default_rng(0)).random_base2(SOBOL)
    draws = np.clip(draws, 1e-12, 1.0 - 1e-12)
    lengths, middle = np.diff(panels), 0.5 * (panels[1:] + panels[:-1])
    level = problem.schedule.level(problem.schedule.time(jnp.asarray(middle)))
    zero = jnp.zeros((middle.size, D))
    pairs = make_pairs(zero, zero, jnp.asarray(middle), level, problem.model.target, problem.weight)
    loss = np.asarray(pairs.weights)
    share = 0.5 * lengths + 0.5 * lengths * loss / np.sum(lengths * loss)
    edges = np.append(0.0, np.cumsum(share))
    u = np.interp(draws[:, 0], edges / edges[-1], panels)
    panel = np.clip(np.searchsorted(panels, u, side="right") - 1, 0, lengths.size - 1)
    chosen = np.searchsorted(np.cumsum(masses)[:-1], draws[:, 1], side="right")
    return u, points[chosen], ndtri(draws[:, 2:]), (lengths / share)[panel]
