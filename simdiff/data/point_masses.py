"""A finite set of points in R^D with weights: the data of small, explicit distributions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register

NAMED: dict[str, np.ndarray] = {
    "line": np.array([[-1.0], [0.0], [1.0]]),
    "square": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]),
    "hexagon": np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1).round(
        12
    ),
    "diagonal": np.stack([np.linspace(-1.0, 1.0, 6)] * 2, axis=1),
    "corner": np.array([[-1.0, -1.0], [-1.0, 0.0], [-1.0, 1.0], [0.0, -1.0], [0.5, -1.0], [1.0, -1.0]]),
    "scattered": np.array([[-1.0, -1.0], [-0.9, 1.0], [-0.3, 0.2], [0.1, -0.1], [0.2, -0.1], [0.9, 0.7]]),
}
"""Point sets that have a name."""

_ALLOWED = (
    "a list of points in R^D, two different ones or more, the path of a .npy or .csv file of them, "
    f"or one of {', '.join(NAMED)}"
)


@register("data", "point_masses", points=(-1, 0, 1))
@dataclasses.dataclass(frozen=True, init=False)
class PointMasses:
    """p(x) = sum_m weights_m delta(x - points_m).

    Points that occur more than once are merged and their weights added. What is kept are plain tuples, so
    that equal sets are equal, whatever they were made from.

    Args:
        points: M points in R^D, as an (M, D) array or nested lists, or M numbers (D = 1); or the path of a
            .npy file, or of a .csv file without a header, that holds them, one row per point; or a name
            of `NAMED`.
        weights: M numbers > 0, scaled to sum 1; None for equal weights.
        angle: the points are turned by this angle, in radians, in the plane of their first two coordinates.

    Raises:
        InputError: fewer than two different points, numbers that are not finite, weights of another length.
    """

    points: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    angle: float
    name: str

    def __init__(self, points: Any, weights: Sequence[float] | None = None, angle: float = 0.0) -> None:
        array = _matrix(points)
        angle = check_number("data.angle", angle)
        if angle and array.shape[1] < 2:
            raise InputError("data.angle", angle, "0 for points on a line")
        merged, masses = _merged(array, _masses(weights, len(array)))
        if len(merged) < 2:
            hint = "a single point has no gaps to fill"
            raise InputError("data.points", f"{len(merged)} different points", _ALLOWED, hint)
        object.__setattr__(self, "points", tuple(tuple(row) for row in merged.tolist()))
        object.__setattr__(self, "weights", tuple(masses.tolist()))
        object.__setattr__(self, "angle", angle)
        object.__setattr__(self, "name", points if isinstance(points, str) and points in NAMED else "")

    def description(self) -> dict[str, Any]:
        """The fields, the points by their name where they have one."""
        points = self.name or [list(row) for row in self.points]
        return {
            "type": type(self).__name__,
            "points": points,
            "weights": list(self.weights),
            "angle": self.angle,
        }

    def arguments(self) -> dict[str, Any]:
        """What makes this set, its points by their name where they have one; see `parts.vary`."""
        return {"points": self.name or self.points, "weights": self.weights, "angle": self.angle}

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.points[0])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """(points (M, D), turned, weights (M,)), float64."""
        return _turned(np.array(self.points), self.angle), np.array(self.weights)

    @property
    def least_distance(self) -> float:
        """The distance of the two points nearest to each other."""
        points, _ = self.arrays()
        distances = np.linalg.norm(points[:, None] - points, axis=-1)
        return float(np.min(distances[~np.eye(len(points), dtype=bool)]))


def _matrix(points: Any) -> np.ndarray:
    """The points as a finite (M, D) array."""
    if isinstance(points, str) and points in NAMED:
        return NAMED[points]
    if isinstance(points, (str, Path)):
        points = _read(Path(points))
    try:
        array = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("data.points", points, _ALLOWED, "rows of one length, numbers only") from error
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] == 0 or not np.all(np.isfinite(array)):
        raise InputError("data.points", np.shape(points), _ALLOWED, "an (M, D) array of finite numbers")
    return array


def _read(path: Path) -> np.ndarray:
    """The array in a file; never a pickle."""
    readers = {".npy": lambda: np.load(path, allow_pickle=False), ".csv": lambda: _csv(path)}
    if path.suffix not in readers:
        raise InputError("data.points", str(path), _ALLOWED)
    try:
        return readers[path.suffix]()
    except (OSError, ValueError) as error:
        raise InputError("data.points", str(path), "a readable file of numbers", str(error)) from error


def _csv(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2)


def _masses(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Weights with sum 1."""
    if weights is None:
        return np.full(count, 1.0 / max(count, 1))
    if not isinstance(weights, (Sequence, np.ndarray)) or len(weights) != count:
        raise InputError("data.weights", weights, f"{count} numbers > 0, one a point")
    masses = np.array([check_number("data.weights", w, above=0) for w in weights])
    return masses / masses.sum()


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    if angle == 0.0:
        return points
    c, s = math.cos(angle), math.sin(angle)
    turned = points.copy()
    turned[:, 0], turned[:, 1] = c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1]
    return turned


def _merged(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different points in the order of their first occurrence, and their total weights."""
    if not len(points):
        return points, weights
    _, first, group = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    masses = np.bincount(group.reshape(-1), weights)
    return points[first[order]] + 0.0, masses[order]
