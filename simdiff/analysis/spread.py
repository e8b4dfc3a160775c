"""Where two models trained on independent sets differ: the spread of their samples, mode by mode."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problems import LinearSampling
from simdiff.theory.leave_one_out.population import population_of
from simdiff.theory.leave_one_out.sampled import point_modes
from simdiff.theory.linear_chain.mode_spread import gaussian_modes, mode_spread
from simdiff.theory.linear_chain.one_point import SpectralLaw


@dataclasses.dataclass(frozen=True)
class ModeSpread:
    """Eigenvalues of Sigma, their weights (sum 1), and the spread along each.

    `spread` is E |x_1 - x_2|^2 in one direction of that eigenvalue; `weights @ spread` is the metric
    `spread`. It has a row per training time under early stopping.
    """

    eigenvalues: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, " s"]
    spread: Float[np.ndarray, "*t s"]


@with_pinned_settings
def spread_by_mode(problem: LinearSampling, d: int | None = None) -> ModeSpread:
    """The theory of the spread of two models' samples of the same noise, along every eigenvector of Sigma.

    Of Gaussian data the mean at size d up to terms of order 1/d^2, the limit without d; of points their
    leave-one-out theory at their one size. `splits` does not matter. Source: the fluctuation of the map from
    noise to sample is that of Wang, Zavatone-Veth, Pehlevan, arXiv 2602.02908, with the term that their
    law leaves out.

    Raises:
        InputError: another problem, a bias, or data that are neither.
    """
    check_type("problem", problem, LinearSampling)
    if problem.bias:
        raise InputError("bias", True, "false", "two models are compared without a bias")
    if problem.data.population() is not None:
        points = population_of(problem.data)
        modes = point_modes(points, problem.count(points.eigenvalues.size))
        weights = np.full(points.eigenvalues.size, 1.0 / points.eigenvalues.size)
    elif problem.data.gaussian_features:
        at = problem if d is None else problem.at_size(d)
        values, weights = at.data.spectrum()
        modes = gaussian_modes(SpectralLaw(values, weights, at.psi_n, at.size))
    else:
        raise InputError("data", type(problem.data).__name__, "Gaussian data, or points")
    spread = mode_spread(problem, modes)
    return ModeSpread(modes.eigenvalues, weights, spread if problem.times else spread[0])
