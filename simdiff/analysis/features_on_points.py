"""Errors of random features on images at given weights: what `theory.leave_one_out.random_features` says."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError, check_integer, check_type
from simdiff.models import RandomFeatures
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problems import DenoisingScoreMatching
from simdiff.theory.leave_one_out.averaged_features import averaged_errors
from simdiff.theory.leave_one_out.noise_draws import Setting
from simdiff.theory.leave_one_out.population import Population, population_of
from simdiff.theory.leave_one_out.random_features import feature_errors
from simdiff.trainers import Ridge


@with_pinned_settings
def errors_given_weights(
    problem: DenoisingScoreMatching, weights: Float[np.ndarray, "p d"], seed: int = 0
) -> dict[str, float]:
    """Mean errors over training sets and noise of random features at these weights, on a set of points.

    Averages over the points and over noise alone: nothing is taken for Gaussian, nothing is fitted. At a
    finite m noise is drawn with `seed`, which leaves a statistical error; at m = infinity averages are exact.
    What is left out otherwise is of relative order 1/n.

    Args:
        problem: `RandomFeatures`, `Ridge`, and points as data; psi_p does not matter.
        weights: the first layer W, in the points' eigenbasis (`data.basis()`).
        seed: of the noise, at a finite m.

    Returns:
        test, train, memorization and objective, per dimension.

    Raises:
        InputError: another problem, or weights that are no such table; RuntimeError where the fixed point
            is not found.
    """
    check_type("problem", problem, DenoisingScoreMatching)
    check_type("model", problem.model, RandomFeatures)
    check_type("trainer", problem.trainer, Ridge)
    points = population_of(problem.data)
    weights, d = np.asarray(weights, np.float64), points.eigenvalues.size
    if weights.ndim != 2 or weights.shape[1] != d or not np.isfinite(weights).all():
        raise InputError("weights", f"shape {weights.shape}", f"finite numbers of shape (p, {d})")
    h, samples = -math.expm1(-2.0 * problem.t), max(1, round(problem.psi_n * d))
    at = Setting(samples, 1.0 / problem.m, math.exp(-2.0 * problem.t), h, problem.trainer.ridge)
    found = _errors(points, at, weights, problem.model, check_integer("seed", seed, least=0))
    if found is None:
        raise RuntimeError(f"no fixed point at n = {samples}, m = {problem.m:g}")
    return found


def _errors(
    points: Population, at: Setting, weights: Float[np.ndarray, "p d"], model: Any, seed: int
) -> dict[str, float] | None:
    if at.i == 0.0:
        return averaged_errors(points, at, weights, model.activation)
    function = model.activation.fn
    return feature_errors(points, at, weights, lambda x: np.asarray(function(jnp.asarray(x))), seed)
