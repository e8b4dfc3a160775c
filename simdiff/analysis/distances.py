"""How far a theory's law of samples is from that of a trained ensemble, and how much of it is chance.

Samples come in groups, one a model (G, n, D), because those of one model share its fluctuation: errors and
floors are taken over models. Distances of positive kind cannot be zero between finite ensembles, so each is
given with its floor, what the same number of models drawn from the theory itself would show, and the excess.

    Wasserstein-1   in one dimension, int |F - G| dx; above, its average over directions (sliced)
    energy          2 E|X - Y| - E|X - X'| - E|Y - Y'| with X, X' (and Y, Y') of different models: unbiased,
                    so its floor is zero and chance makes it negative as often as not
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError

Samples = Float[np.ndarray, "G n D"]
DIRECTIONS = 24
GRID = 1024
ROUNDS = 64
"""Resamplings of models for a standard error or a floor."""


@dataclasses.dataclass(frozen=True)
class Distance:
    """A distance, its standard error over models, its floor, and what is left above the floor.

    `stderr` is that of the excess: scatter of the measured distance over resampled models, and of the floor
    over the theory's own ensembles.
    """

    value: float
    floor: float
    stderr: float

    @property
    def excess(self) -> float:
        """value - floor: consistent with 0 for a correct theory."""
        return self.value - self.floor


def wasserstein(trained: Samples, theory: Samples, seed: int = 0) -> Distance:
    """Wasserstein-1 distance of the averaged laws, sliced above one dimension.

    Args:
        trained: samples of G trained models.
        theory: samples of H draws of the theory, H >= 2 G, with as many samples each or more.
        seed: of directions and resamplings.

    Raises:
        InputError: arrays that are not (models, samples, D) with one D, or too few draws of the theory.
    """
    trained, theory = _checked(trained, theory)
    rng = np.random.default_rng(seed)
    G, H = len(trained), len(theory)
    again = rng.multinomial(G, np.full(G, 1.0 / G), ROUNDS) / G
    part = np.argsort(rng.random((ROUNDS, H)), axis=1) < G
    sums = np.zeros((3, ROUNDS))
    directions = _directions(trained.shape[2], rng)
    for direction in directions:
        a, b, steps = _functions(trained @ direction, theory @ direction)
        ours, theirs = part @ b / G, ~part @ b / (H - G)
        gaps = (a.mean(0) - b.mean(0)), (again @ a - b.mean(0)), (ours - theirs)
        sums += np.stack([np.broadcast_to(np.abs(gap) @ steps, ROUNDS) for gap in gaps])
    value, scatter, floors = sums / len(directions)
    error = float(np.hypot(np.std(scatter, ddof=1), np.std(floors, ddof=1)))
    return Distance(float(value[0]), float(np.mean(floors)), error)


def energy(trained: Samples, theory: Samples, seed: int = 0, samples: int = 8) -> Distance:
    """Unbiased energy distance of the averaged laws, from `samples` samples of each model.

    The standard error is a jackknife over blocks of the trained models; the floor is 0.
    """
    trained, theory = _checked(trained, theory)
    rng = np.random.default_rng(seed)
    theory = theory[rng.permutation(len(theory))[: 2 * len(trained)]]
    x, y = trained[:, :samples], theory[:, :samples]
    across, inside, other = _mean_distances(x, y), _mean_distances(x, x), _mean_distances(y, y)
    value = _energy(across, inside, other, np.arange(len(x)))
    blocks = np.array_split(np.arange(len(x)), min(20, len(x)))
    kept = [np.setdiff1d(np.arange(len(x)), block) for block in blocks]
    leave_out = np.array([_energy(across, inside, other, index) for index in kept])
    error = np.sqrt((len(blocks) - 1) * np.mean((leave_out - leave_out.mean()) ** 2))
    return Distance(value, 0.0, float(error))


def _checked(trained: Samples, theory: Samples) -> tuple[Samples, Samples]:
    trained, theory = np.asarray(trained, np.float64), np.asarray(theory, np.float64)
    for name, array in (("trained", trained), ("theory", theory)):
        if array.ndim != 3 or array.shape[2] != trained.shape[2] or len(array) < 2:
            hint = "an array (models, samples, D) of two models or more, the same D for both"
            raise InputError(name, array.shape, hint)
    if len(theory) < 2 * len(trained):
        hint = "the floor is measured on ensembles of the theory's own"
        raise InputError("theory", f"{len(theory)} models", f"{2 * len(trained)} or more", hint)
    return trained, theory


def _directions(D: int, rng: np.random.Generator) -> np.ndarray:
    """Random unit vectors; in one dimension the axis."""
    if D == 1:
        return np.ones((1, 1))
    found = rng.standard_normal((DIRECTIONS, D))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _functions(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every model's distribution function at quantiles of all samples, and the lengths between these."""
    grid = np.unique(np.quantile(np.append(x, y), np.linspace(0, 1, GRID)))
    tables = [
        np.stack([np.searchsorted(np.sort(row), grid, side="right") for row in z]) / z.shape[1]
        for z in (x, y)
    ]
    return tables[0], tables[1], np.diff(grid, append=grid[-1])


def _mean_distances(x: Samples, y: Samples) -> np.ndarray:
    """Mean |x - y| between every model of x and every one of y, (G, H)."""
    from scipy.spatial.distance import cdist

    flat = y.reshape(-1, y.shape[2])
    return np.stack([cdist(row, flat).mean(0).reshape(len(y), -1).mean(1) for row in x])


def _energy(across: np.ndarray, inside: np.ndarray, other: np.ndarray, index: np.ndarray) -> float:
    return float(
        2 * across[index].mean() - _off_diagonal(inside[np.ix_(index, index)]) - _off_diagonal(other)
    )


def _off_diagonal(table: np.ndarray) -> float:
    count = len(table)
    return float((table.sum() - np.trace(table)) / (count * (count - 1)))
