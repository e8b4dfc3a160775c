"""The built-in theory of denoising score matching with random features and an exact ridge minimiser.

Features are replaced by their Gaussian equivalent (`settings`, `quadrature`), whose learning curves
follow from a fixed point (`learning_curve`). Data on a manifold enter by the covariance of their own
Gaussian equivalent; only their Bayes floor needs more (`bayes_floor`).

Sources: George, Veiga, Macris, arXiv 2502.00336 (Gaussian data); George, Macris, arXiv 2603.22962
(manifold data).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.theory.denoising.inputs import (
    bayes_floor,
    gaussian_floor,
    inputs_of_many,
    parts_of,
    place_of,
    power_of_four,
    stack,
)
from simdiff.theory.denoising.learning_curve import TheoryInputs, learning_curves
from simdiff.theory.protocols import Described, is_minimum

_SMALL_BATCH, _LARGE_BATCH = 16, 1024
_MOST_ATOMS_IN_LARGE_BATCH = 64
"""Calls have one of two batch sizes and a power of four of atoms: a compilation costs seconds, padding
far less. Long spectra go in small batches, which bounds memory."""


class ConvergenceWarning(UserWarning):
    """The fixed point of a point was not found; its predictions are nan."""


@register("theory", "gaussian_equivalence")
def predict(problem: Any) -> dict[str, float]:
    """Limits of the problem's metrics (errors per dimension) as d grows.

    test, train, memorization and objective for every data law with a spectrum; score and floor where
    the Bayes floor is known; test_parallel and test_orthogonal where the problem lists them. A point
    whose fixed point is not found gives nan and a `ConvergenceWarning` that names it.

    Raises:
        InputError: a trainer other than `Ridge`, data without `spectrum()` or of non-zero mean, a model
            without `psi_p` and `activation`, or a value outside its range.
    """
    return predict_many([problem])[0]


def predict_many(problems: Sequence[Any]) -> list[dict[str, float]]:
    """`predict` for every problem, in as few compiled calls as they fit into."""
    settings = inputs_of_many(problems, [_ridge(problem) for problem in problems])
    if not settings:
        return []
    atoms = power_of_four(max(s.eigenvalues.size for s in settings))
    large = len(settings) > _SMALL_BATCH and atoms <= _MOST_ATOMS_IN_LARGE_BATCH
    batch = _LARGE_BATCH if large else _SMALL_BATCH
    results: list[dict[str, float]] = []
    for start in range(0, len(settings), batch):
        part = settings[start : start + batch]
        results += _rows(part, stack(part, batch, atoms), problems[start : start + batch])
    return results


predict.many = predict_many  # type: ignore[attr-defined]
predict.solution = "minimum"  # type: ignore[attr-defined]


def _ridge(problem: Described) -> float:
    trainer = getattr(problem, "trainer", None)
    if not is_minimum(trainer):
        hint = "gaussian_equivalence describes the exact ridge minimiser only; use trainer=Ridge(...)"
        raise InputError("trainer", type(trainer).__name__, "Ridge", hint)
    return check_number("trainer.ridge", problem.trainer.ridge, above=0)


_TOTALS = ("test", "train", "memorization", "objective")


def _rows(
    settings: Sequence[TheoryInputs], stacked: TheoryInputs, problems: Sequence[Any]
) -> list[dict[str, float]]:
    curves = learning_curves(stacked)
    columns = {name: np.asarray(getattr(curves, name)) for name in (*_TOTALS, "score")}
    by_direction = np.asarray(curves.directions.test)
    usable = np.asarray(curves.converged) & np.all([np.isfinite(c) for c in columns.values()], axis=0)
    rows = []
    for k, (setting, problem) in enumerate(zip(settings, problems, strict=True)):
        values = {name: float(columns[name][k]) for name in _TOTALS}
        values |= _score(problem, setting, float(columns["score"][k]))
        for name, part in parts_of(setting).items():
            values[name] = float(part @ by_direction[k][: part.size])
        if not usable[k]:
            message = f"the fixed point was not found at {place_of(problem)}: predictions are nan"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
            values = dict.fromkeys(values, math.nan)
        rows.append({m.name: values[m.name] for m in problem.metrics if m.name in values})
    return rows


def _score(problem: Described, setting: TheoryInputs, gaussian_score: float) -> dict[str, float]:
    """Score and floor; {} where the floor is not known. test = h score + floor, whatever the floor."""
    floor = bayes_floor(problem, setting)
    if floor is None:
        return {}
    return {"floor": floor, "score": gaussian_score + (gaussian_floor(setting) - floor) / float(setting.h)}
