"""The ridge at which a metric of the theory is least: a grid, then zooms that ask for many ridges at once.

Over log ridge metrics were seen to have one minimum (memorization: two), a decade wide or wider, and the
theory computes sixteen values in the time of one: so every step is a batch, not a point.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simdiff.analysis.theory_curve import Curve, TheorySpec, make_curve
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem

RIDGES = (1e-8, 1e4)
"""Where the best ridge is sought: at psi_n << psi_p it is of order psi_p / psi_n, far above 1."""

_PER_DECADE = 4
"""Ridges of the grid."""

_AT_ONCE, _ZOOMS = 16, 3
"""Each zoom asks for so many ridges and keeps two of their intervals; three narrow a decade to 0.3%."""

Rows = Float[np.ndarray, " rows"]


@dataclasses.dataclass(frozen=True)
class BestRidge:
    """The ridge in `RIDGES` with the least value of a metric, and that value.

    `at_boundary`: the least value is at an end of `RIDGES`, so a ridge outside may do better still.
    Both numbers are nan where the theory is unknown at every ridge.
    """

    ridge: float
    value: float
    at_boundary: bool


@with_pinned_settings
def best_ridge(problem: Problem, metric: str = "score", theory: TheorySpec = None) -> BestRidge:
    """The ridge between 1e-8 and 1e4 at which the theory's metric is least, everything else as it is.

    The ridge is found to 0.5%, its value to a few parts in 1e6 (a minimum is flat).

    Args:
        problem: its trainer's own ridge does not matter.
        metric: any metric of the theory.
        theory: as in `simdiff.predict`.

    Raises:
        InputError: a problem without psi_n or `trainer.ridge` or with a time axis, or no such metric.
    """
    curve = make_curve(problem, metric, theory)
    found = tune(curve, curve.problem.psi_n)
    return BestRidge(*found, is_end(found.ridge))


class Point(NamedTuple):
    """A ridge and the metric there."""

    ridge: float
    value: float


def tune(curve: Curve, psi_n: float) -> Point:
    """The best ridge of all; nan where the theory is unknown at every ridge."""
    grid = ridge_grid(_PER_DECADE)
    best = places_of_least(curve.at(psi_n, grid)[None])
    return only(zoom(curve, psi_n, *window(grid, best, best)))


def ridge_grid(per_decade: int) -> Float[np.ndarray, " ridges"]:
    """`RIDGES` and what lies between, evenly in the logarithm."""
    low, high = RIDGES
    return np.geomspace(low, high, round(per_decade * math.log10(high / low)) + 1)


def zoom(curve: Curve, psi_n: Any, low: Rows, high: Rows) -> tuple[Rows, Rows]:
    """Best ridges and their values where each row's best ridge lies from `low` to `high`.

    psi_n: one number, or one for each row.
    """
    rows = np.arange(low.size)
    for _ in range(_ZOOMS):
        ridges = np.geomspace(low, high, _AT_ONCE, axis=1)
        values = curve.at(np.reshape(psi_n, (-1, 1)), ridges)
        best = places_of_least(values)
        low, high = ridges[rows, np.maximum(best - 1, 0)], ridges[rows, np.minimum(best + 1, _AT_ONCE - 1)]
    value = values[rows, best]
    return np.where(np.isnan(value), math.nan, ridges[rows, best]), value


def places_of_least(table: Float[np.ndarray, "rows ridges"]) -> Int[np.ndarray, " rows"]:
    """The place of the least known value in each row."""
    return np.where(np.isnan(table), np.inf, table).argmin(axis=1)


def window(grid: Float[np.ndarray, " ridges"], least: Any, most: Any) -> tuple[Rows, Rows]:
    """The ridges of the grid next to the places `least` and `most`, outside them."""
    below, above = np.maximum(np.atleast_1d(least) - 1, 0), np.atleast_1d(most) + 1
    return grid[below], grid[np.minimum(above, grid.size - 1)]


def only(found: tuple[Rows, Rows]) -> Point:
    """The one row of what `zoom` returns."""
    return Point(float(found[0][0]), float(found[1][0]))


def is_end(ridge: float) -> bool:
    """Whether the search ended at an end of `RIDGES`."""
    return any(abs(ridge / end - 1.0) < 0.01 for end in RIDGES)
