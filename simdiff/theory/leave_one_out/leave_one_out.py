"""The theory of linear models on points of any law: images, or any finite set; and of random features.

`LinearSampling` and `DenoisingScoreMatching` with a `Linear` denoiser or, with the noise average taken
exactly, `RandomFeatures`, whose weights are averaged over (`mean_features`). For N samples drawn with
replacement from given points it predicts means over training sets: of linear models up to terms of order
1/N^2 with the noise average taken exactly, else to leading order. It has no parameter to fit, and supposes
that x^T G x is the same for most resolvents G of other samples: a heuristic as N grows with d, compared with
simulation on patches, digits and MNIST in results/leave_one_out.csv.

Sources: theory of random matrices with independent rows of any law, e.g. El Karoui, Annals of Applied
Probability 19, 2362 (2009); Louart, Liao, Couillet, Annals of Applied Probability 28, 1190 (2018).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.leave_one_out.denoised import denoised_errors
from simdiff.theory.leave_one_out.population import Population, population_of
from simdiff.theory.leave_one_out.sampled import sampled_metrics


@register("theory", "leave_one_out")
def predict(problem: Any) -> dict[str, Any]:
    """Means over training sets of a model's metrics: floats, or arrays over `problem.times`.

    Reads `data.population()`, the points in the eigenbasis of their covariance, and `psi_n`; of a
    `LinearSampling` what `linear_sampling` reads, of a `DenoisingScoreMatching` model, trainer, m and t. A
    value that cannot be vouched for is nan, with a `ConvergenceWarning` that says why.

    Raises:
        InputError: data without points, another model, a bias, training in time at finite m, or random
            features at finite m or trained for a time.
    """
    points = population_of(problem.data)
    count = max(1, round(float(problem.psi_n) * points.eigenvalues.size))
    values = _metrics(problem, points, count)
    times = getattr(problem, "times", None)
    listed = [metric.name for metric in problem.metrics if metric.name in values]
    if times is None:
        return {name: float(np.squeeze(values[name])) for name in listed}
    return {name: values[name] for name in listed}


def _metrics(problem: Any, points: Population, count: int) -> dict[str, Any]:
    if callable(getattr(problem, "spectral_functions", None)):
        found: dict[str, Any] | None = sampled_metrics(problem, points, count)
    elif hasattr(problem, "model"):
        found = denoised_errors(problem, points, count)
    else:
        kind = type(problem).__name__
        raise InputError("theory", "leave_one_out", "LinearSampling or a Linear denoiser", f"it is {kind}")
    if found is not None and all(np.isfinite(value).all() for value in found.values()):
        return found
    _warn(problem, count)
    blank = np.full(len(problem.times or (0,)), math.nan)
    return {metric.name: blank for metric in problem.metrics if metric.compare}


def _warn(problem: Any, count: int) -> None:
    why = "the fixed point or the contour did not converge"
    if getattr(problem, "singular", False):
        why = "without ridge or early stopping divergences are infinite for some training sets: kl=False"
    if hasattr(getattr(problem, "model", None), "activation"):
        why = "no fixed point, or a mean over weights that takes too many draws: compare trials at their own"
    message = f"leave_one_out at N = {count} is nan: {why}"
    warnings.warn(message, ConvergenceWarning, stacklevel=4)
