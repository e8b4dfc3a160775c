"""Isotropic classes with their means on one line, and where x_t lies: what theories read of data.

Everything that the posterior of a training point depends on is then the place along that line and the
distance from it, so averages over x_t are sums over a grid in two coordinates, whatever d is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

_RANGE = 7.0
_ON_A_LINE = 1e-12


@dataclasses.dataclass(frozen=True)
class Classes:
    """Places of the means on a line, variances (> 0), probabilities, of K isotropic classes: (K,) each."""

    places: np.ndarray
    variances: np.ndarray
    weights: np.ndarray

    @property
    def alike(self) -> bool:
        """Whether they differ in their means alone."""
        return bool(np.ptp(self.variances) == 0)


@dataclasses.dataclass(frozen=True)
class Places:
    """Places of x_t of one class: weights (s,), adding up to 1, and |x_t - a m_k|^2, (s, K)."""

    weights: np.ndarray
    squares: np.ndarray


def classes_of(data: Any, d: float) -> Classes | None:
    """The classes of a data law at size d; None where they are not isotropic, or their means on no line."""
    if getattr(data, "classes", 1) == 1:
        values, _ = data.spectrum()
        one = values.size == 1 and values[0] > 0 and getattr(data, "gaussian", False)
        return Classes(np.zeros(1), values, np.ones(1)) if one else None
    variances = data.isotropic
    if variances is None or variances.min() <= 0:
        return None
    line = on_a_line(data.coordinates)
    if line is None:
        return None
    places = np.array([0.0 if c == 0 else c * d ** (0.5 - data.decay) for c in line])  # d may be infinite
    return Classes(places, variances, data.probabilities)


def on_a_line(points: np.ndarray) -> np.ndarray | None:
    """Coordinates (K,) of points (K, r) along the line through them; None where there is none."""
    away = points - points[0]
    _, size, axes = np.linalg.svd(away)
    if np.sum(size[1:]) > _ON_A_LINE * max(float(size[0]), 1e-300):
        return None
    return away @ axes[0]


def noised_variances(classes: Classes, t: float) -> np.ndarray:
    """Gamma_k = a^2 sigma_k^2 + h."""
    return math.exp(-2 * t) * classes.variances - math.expm1(-2 * t)


def places(classes: Classes, d: int, t: float, step: float) -> Iterator[Places]:
    """For each class, where x_t = a m_c + sqrt(Gamma_c) xi lies: `step` is the grid's in standard deviations.

    Along the line xi is normal; across it chi with d - 1 degrees of freedom, close to a normal of
    variance 1/2.
    """
    along, weights = _grid(step)
    across, shares = _chi(d - 1, step) if d > 1 else (np.zeros(1), np.ones(1))
    a, gamma = math.exp(-t), noised_variances(classes, t)
    for mean, width in zip(a * classes.places, np.sqrt(gamma), strict=True):
        gap = mean + width * along[:, None] - a * classes.places
        squares = gap[:, None, :] ** 2 + (width * across[None, :, None]) ** 2
        yield Places((weights[:, None] * shares).ravel(), squares.reshape(-1, len(gamma)))


def class_probabilities(classes: Classes, squares: np.ndarray, d: int, t: float) -> np.ndarray:
    """P(class | x_t), (s, K), from |x_t - a m_k|^2."""
    gamma = noised_variances(classes, t)
    logs = np.log(classes.weights) - 0.5 * (squares / gamma + d * np.log(gamma))
    logs -= logs.max(axis=1, keepdims=True)
    return np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)


def _grid(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a standard normal: the trapezoidal rule, exponentially accurate here."""
    count = math.ceil(_RANGE / step)
    x = step * np.arange(-count, count + 1)
    weights = np.exp(-0.5 * x**2)
    return x, weights / weights.sum()


def _chi(freedom: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of chi with this many degrees of freedom: the trapezoidal rule again."""
    mode, count = math.sqrt(max(freedom - 1, 0)), math.ceil(_RANGE / step)
    x = mode + step * math.sqrt(0.5) * np.arange(-count, count + 1)
    x = x[x > 0]
    logs = (freedom - 1) * np.log(x) - 0.5 * x**2
    weights = np.exp(logs - logs.max())
    return x, weights / weights.sum()
