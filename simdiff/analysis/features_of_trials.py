"""Trials of random features on images against the theory at their own weights.

Every trial draws weights, and on images with much contrast these change errors by several percent: a mean
over weights is known no better than from as many draws. Given the same weights, theory and trial differ by
what the training set does alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simdiff.analysis.features_on_points import errors_given_weights
from simdiff.engine import run_trials, trial_keys
from simdiff.errors import check_integer, check_type
from simdiff.models import RandomFeatures
from simdiff.models.denoising.random_features import first_layer
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problems import DenoisingScoreMatching
from simdiff.problems.denoising.pairs import split_keys
from simdiff.theory.leave_one_out.population import population_of

if TYPE_CHECKING:
    import pandas as pd


@with_pinned_settings
def trial_weights(problem: DenoisingScoreMatching, trials: int, seed: int = 0) -> Float[np.ndarray, "k p d"]:
    """The first layers W of `simdiff.simulate(problem, trials=trials, seed=seed)`, data being points.

    Raises:
        InputError: another problem, or data without points.
    """
    check_type("problem", problem, DenoisingScoreMatching)
    check_type("model", problem.model, RandomFeatures)
    d, count = population_of(problem.data).eigenvalues.size, check_integer("trials", trials, least=1)
    keys, index = trial_keys(problem, d, seed, range(count)), jnp.arange(problem.model.width(d))
    return np.stack([np.asarray(first_layer(split_keys(key).weights, index, d), float) for key in keys])


def features_against_theory(problem: DenoisingScoreMatching, trials: int = 32, seed: int = 0) -> pd.DataFrame:
    """Trials of random features on points minus the theory at each trial's own weights.

    Returns:
        One row per metric: metric; theory and estimate, the means over trials; difference, estimate minus
        theory; and stderr, that of the difference of pairs.

    Raises:
        InputError: see `errors_given_weights`; RuntimeError where a fixed point is not found.
    """
    import pandas as pd

    weights = trial_weights(problem, trials, seed)
    theory = pd.DataFrame([errors_given_weights(problem, own, i) for i, own in enumerate(weights)])
    frames = run_trials(problem, weights.shape[2], seed, range(trials))
    found = pd.concat(frames).sort_values("trial", ignore_index=True)
    return pd.DataFrame([_paired(name, theory[name], found[name]) for name in theory])


def _paired(name: str, theory: pd.Series, found: pd.Series) -> dict[str, Any]:
    off = found - theory
    row = {"metric": name, "theory": theory.mean(), "estimate": found.mean(), "difference": off.mean()}
    return row | {"stderr": off.sem()}
