"""Collapse, exactly at every n and d: the partition function of n energies, n - 1 of them independent of x_t.

Given x = x_t, training points other than the one it came from have independent distances r = |x - a x_i|,
each a mixture over classes of noncentral chi, and the one that it came from has the same law tilted by
exp(-E), E = r^2 / (2 h). A random energy model. With Z = sum_i exp(-E_i) and phi(s) = E exp(-s exp(-E)),

    E exp(-s Z) = phi(s)^(n-1) phi'(s) / phi'(0),      E log Z = int ds/s (exp(-s) - E exp(-s Z)),
    entropy of the point = E log Z + E[E of its source],
    P(the source is the nearest) = E (1 - F(r))^(n-1),  F the distribution of the others' r,

so a grid over r, one over log s and one over places of x give numbers whose error is far below any trial's.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from simdiff.theory.empirical_score.classes import Classes, Places, places

_STEP = 0.8
_LOG_STEP = 0.5
_CELLS = 0.12
_NEGLIGIBLE = 1e-8
_SMALL_ORDER = 25.0


@dataclasses.dataclass(frozen=True)
class Collapse:
    """Averages over x_t and training sets: the metrics of `EmpiricalScore`."""

    excess_entropy: float
    collapsed: float
    nearest_training: float
    nearest_fresh: float


def collapse(classes: Classes, d: int, log_n: float, t: float) -> Collapse:
    """All of them, for n = exp(log_n) points."""
    a, h = math.exp(-t), -math.expm1(-2 * t)
    total = np.zeros(4)
    for weight, place in zip(classes.weights, places(classes, d, t, _STEP), strict=True):
        keep = place.weights > _NEGLIGIBLE
        kept = Places(place.weights[keep], place.squares[keep])
        r = _grid(classes, kept, d, a, h)
        for share, squares in zip(kept.weights, kept.squares, strict=True):
            total += weight * share * _at_one_place(_law(classes, squares, r, d, a), r, log_n, h)
    return Collapse(*(total / np.array([d, 1, d, d])).tolist())


def _grid(classes: Classes, place: Places, d: int, a: float, h: float) -> np.ndarray:
    """Distances from below the source's to above the others', fine against the narrower of the two laws."""
    spread = a * np.sqrt(classes.variances)
    last = float(np.sqrt(place.squares + d * spread**2).max() + 9 * spread.max())
    first = math.sqrt(max(0.0, h * (d - 8 * math.sqrt(2 * d))))
    step = _CELLS * min(float(spread.min()), math.sqrt(h))
    return np.arange(max(0.5 * step, first - 9 * math.sqrt(h) * (first > 0)), last, step)


def _law(classes: Classes, squares: np.ndarray, r: np.ndarray, d: int, a: float) -> np.ndarray:
    """Probabilities of the grid's cells for a point that is independent of x, adding up to 1."""
    logs = np.stack(
        [
            math.log(weight) + log_noncentral_chi(r / spread, float(square) / spread**2, d) - math.log(spread)
            for weight, spread, square in zip(
                classes.weights, a * np.sqrt(classes.variances), squares, strict=True
            )
        ]
    )
    mass = np.exp(np.logaddexp.reduce(logs, axis=0))
    return mass * (r[1] - r[0])


def log_noncentral_chi(u: np.ndarray, square: float, d: int) -> np.ndarray:
    """log density of |y| = u, y ~ N(mean, I_d), |mean|^2 = square."""
    order, z = 0.5 * d - 1, math.sqrt(square) * u
    return (
        np.log(u)
        + order * (np.log(u) - 0.5 * math.log(square))
        - 0.5 * (u**2 + square)
        + log_bessel(order, z)
    )


def log_bessel(order: float, z: np.ndarray) -> np.ndarray:
    """log I_order(z): SciPy's for small orders, Debye's expansion, good to order^-4, for large ones."""
    if order < _SMALL_ORDER:
        from scipy.special import ive

        return np.log(np.maximum(ive(order, z), 1e-300)) + z
    ratio = z / order
    root = np.sqrt(1 + ratio**2)
    p = 1 / root
    eta = root + np.log(ratio / (1 + root))
    terms = (
        1
        + (3 * p - 5 * p**3) / (24 * order)
        + (81 * p**2 - 462 * p**4 + 385 * p**6) / (1152 * order**2)
        + (30375 * p**3 - 369603 * p**5 + 765765 * p**7 - 425425 * p**9) / (414720 * order**3)
    )
    return order * eta - 0.5 * np.log(2 * math.pi * order * root) + np.log(terms)


def _at_one_place(law: np.ndarray, r: np.ndarray, log_n: float, h: float) -> np.ndarray:
    """(entropy, share collapsed, least squared distance to training points and to fresh ones) given x."""
    energy, others = r**2 / (2 * h), math.expm1(log_n)
    tilted = np.exp(np.log(np.maximum(law, 1e-300)) - energy + energy.min())
    log_mean = math.log(tilted.sum()) - energy.min()
    tilted /= tilted.sum()
    mean = float(tilted @ energy)
    spread = math.sqrt(max(0.0, float(tilted @ (energy - mean) ** 2)))
    entropy = mean + _log_partition(
        law, tilted, energy, others, np.logaddexp(-mean, log_n + log_mean), spread
    )
    at_nodes, at_edges = _below(law)
    farther = np.exp(others * np.log1p(-at_nodes))
    step = r[1] - r[0]
    missed = np.exp(np.array([others, others + 1])[:, None] * np.log1p(-at_edges))
    missed[0] *= 1 - _below(tilted)[1]
    first = (
        r[0] - 0.5 * step
    )  # below it there is nothing; the integral of 2 r P(none below r) by Euler-Maclaurin
    least = first**2 + step * first + step**2 / 6 + 2 * step * missed @ (r + 0.5 * step)
    return np.array([entropy, tilted @ farther, *least])


def _below(law: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distribution function at the grid's points, and halfway to the next ones.

    Sums over cells, corrected by the next term of Euler and Maclaurin: deep in its tail a law grows by
    more than half from one cell to the next.
    """
    sums, next_one = np.cumsum(law), np.append(law[1:], 0.0)
    last_one = np.append(0.0, law[:-1])
    at_nodes = sums - 0.5 * law - (next_one - last_one) / 24
    return np.clip(at_nodes, 0.0, 1 - 1e-16), np.clip(sums + (next_one - law) / 24, 0.0, 1 - 1e-16)


def _log_partition(
    law: np.ndarray, tilted: np.ndarray, energy: np.ndarray, others: float, centre: float, spread: float
) -> float:
    """E log Z given x; `centre` is about that, `spread` the standard deviation of the source's energy."""
    reach = 14 + 6 * spread
    y = np.arange(-reach, reach, _LOG_STEP)
    seen = np.flatnonzero((law > 1e-30 / max(others, 1.0)) | (tilted > 1e-18))
    weight = np.exp(np.minimum(y[:, None] - centre - energy[seen], 700.0))
    lost = -np.expm1(-weight) @ law[seen]
    kept = np.exp(-weight) @ tilted[seen]
    laplace = np.exp(others * np.log1p(-np.minimum(lost, 1 - 1e-16))) * kept
    return float(centre + _LOG_STEP * np.sum(np.exp(-np.exp(y)) - laplace))
