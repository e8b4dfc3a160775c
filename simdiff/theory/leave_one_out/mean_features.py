"""Random features on points of any law: the theory at given weights, averaged over the weights.

Every trial draws weights of its own, so its mean is over them, too. Here they are drawn with a fixed seed
until the standard error of every mean is `ACCURACY` of it. That error is the theory's own, and no verdict
counts it: at a precision of 1% and more it is too small to matter. Where `MOST` draws do not suffice, as on
images with much contrast, nothing is said; there trials can be compared at their own weights.
"""

from __future__ import annotations

import math

import numpy as np

from simdiff.errors import InputError
from simdiff.theory.leave_one_out.averaged_features import averaged_errors
from simdiff.theory.leave_one_out.noise_draws import Setting
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.protocols import Described, is_minimum

ACCURACY, FEWEST, MOST = 1e-3, 16, 100
"""Relative standard error, and numbers of draws of the weights."""

HOPELESS = 2.0
"""Where so many times the most draws seem to be needed the search ends."""

SEED = 0


def mean_errors(problem: Described, points: Population, at: Setting) -> dict[str, float] | None:
    """test, train, memorization and objective of random features; None where they are not found.

    Raises:
        InputError: no minimum, or a finite number of noise draws.
    """
    _check(problem, at)
    rng, d = np.random.default_rng(SEED), points.eigenvalues.size
    found: list[dict[str, float]] = []
    for _ in range(MOST):
        weights = rng.standard_normal((problem.model.width(d), d))
        errors = averaged_errors(points, at, weights, problem.model.activation)
        if errors is None:
            return None
        found.append(errors)
        values = {name: [each[name] for each in found] for name in errors}
        worst = max(_error(row) for row in values.values()) if len(found) >= FEWEST else math.inf
        if worst < ACCURACY:
            return {name: float(np.mean(row)) for name, row in values.items()}
        if math.isfinite(worst) and len(found) * (worst / ACCURACY) ** 2 > HOPELESS * MOST:
            return None
    return None


def _check(problem: Described, at: Setting) -> None:
    if not is_minimum(problem.trainer):
        kind = type(problem.trainer).__name__
        raise InputError("trainer", kind, "Ridge for random features and theory=leave_one_out")
    if at.i > 0.0:
        hint = "at a finite m simdiff.analysis.errors_given_weights has the errors at given weights"
        raise InputError("m", problem.m, "math.inf for random features and theory=leave_one_out", hint)


def _error(values: list[float]) -> float:
    """Relative standard error of the mean."""
    return float(np.std(values, ddof=1) / abs(np.mean(values))) / math.sqrt(len(values))
