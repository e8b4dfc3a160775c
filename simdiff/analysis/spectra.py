"""The eigenvalues of the feature Gram matrix U: their limiting law, and those of simulated trials.

They set the pace of training: gradient flow learns along an eigenvector of eigenvalue x at times of order
1/x, so the groups of eigenvalues are the time scales of generalization and of memorization.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simdiff import engine
from simdiff.errors import check_integer, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import MOST_TRIALS
from simdiff.problems import DenoisingScoreMatching
from simdiff.problems.denoising.spectrum_kernel import SpectrumKernel
from simdiff.theory.denoising.spectral_density import Spectrum, spectrum


@with_pinned_settings
def feature_spectrum(problem: Any) -> Spectrum:
    """The limiting law of the eigenvalues of U: density, distribution function, edges, atoms, time scales.

    Args:
        problem: a `DenoisingScoreMatching` of random features; its trainer does not matter.

    Raises:
        InputError: another problem or model, or data that its theory does not cover.
    """
    check_type("problem", problem, DenoisingScoreMatching)
    return spectrum(problem)


@with_pinned_settings
def feature_eigenvalues(
    problem: DenoisingScoreMatching, d: int = 200, trials: int = 1, seed: int = 0
) -> np.ndarray:
    """The eigenvalues of U in simulated trials, (trials, p) in ascending order, float64.

    Samples, noise and first layer are those of `simdiff.simulate` with the same arguments. Where n m < p,
    p - n m of the eigenvalues are zero but for rounding.

    Raises:
        InputError: another problem, or a bad size, number of trials or seed.
    """
    check_type("problem", problem, DenoisingScoreMatching)
    d = check_integer("d", d, least=1)
    engine.check_memory(problem, d, split=False)
    trial, inputs = problem.trial_program(d, "float64")
    values = jax.tree.map(jnp.asarray, inputs)
    keys = engine.trial_keys(
        problem, d, engine.check_seed(seed), range(check_integer("trials", trials, least=1, most=MOST_TRIALS))
    )
    run = jax.jit(SpectrumKernel(trial))
    found = np.stack([np.asarray(run(key, values)["eigenvalues"]) for key in keys])
    return found[:, found.shape[1] - problem.counts(d)[1] :]
