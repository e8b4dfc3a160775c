"""Linear models on elliptical data beyond ridge denoising: sampling chains, and training in time at m = inf.

Both are functionals of the sample covariance, so the contours and formulas of `linear_chain` and
`leave_one_out` serve, with the resolvent of elliptical samples (`sample_covariance`). Limits as d grows:
terms of order 1/d are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.theory.denoising.gradient_flow import check_times
from simdiff.theory.leave_one_out.denoised import errors_in_time
from simdiff.theory.leave_one_out.noise_draws import Setting
from simdiff.theory.linear_chain.learned_mean import Training
from simdiff.theory.linear_chain.linear_sampling import (
    ACCURACY,
    COUNTS,
    Around,
    PerTime,
    Rules,
    Table,
    maps_exactly,
    observables,
    searched,
)
from simdiff.theory.linear_chain.one_point import Rule, SpectralLaw
from simdiff.theory.mixed_gaussians.classes import Classes
from simdiff.theory.mixed_gaussians.sample_covariance import Radial, radial

Values = dict[str, np.ndarray]


def sampling_metrics(problem: Any, classes: Classes) -> Values | None:
    """Metrics of a `LinearSampling`, arrays over times; None where they are not known.

    Raises:
        InputError: a bias, or classes that are not radii.
    """
    if problem.bias:
        hint = "a bias is a term of order 1/N, which this theory leaves out"
        raise InputError("bias", True, "false for theory=mixed_gaussians", hint)
    law = _radial(problem, classes)
    if problem.singular and not _known(problem, law):
        return None
    s = law.eigenvalues
    training = Training(SpectralLaw(s, law.weights, law.psi_n), s)

    def rule(training: Training, around: Around, nodes: int) -> Rule:
        return law.rule(observables(training.eigenvalues), *around, nodes)

    def square(training: Training, around: Around, nodes: int, root: Table) -> PerTime:
        return law.mean_square(*around, nodes, root)

    def exact(_: Training) -> PerTime:
        return np.atleast_1d(law.mean_root() ** 2 @ law.weights)

    return searched(problem, training, Rules(rule, square, exact, COUNTS, ACCURACY))


def _known(problem: Any, law: Radial) -> bool:
    """Whether divergences, and overlaps, of models that leave some directions without variance are."""
    if problem.splits == 2 and not maps_exactly(problem):
        return False
    return law.support()[0] > 0.0 or not problem.kl


def flow_errors(problem: Any, classes: Classes) -> Values:
    """Errors of a linear denoiser along training in time, at m = infinity.

    Raises:
        InputError: another model, a finite m, or classes that are not radii.
    """
    if not getattr(problem.model, "linear", False) or not math.isinf(problem.m):
        hint = "training in time is described for a linear map at m = inf"
        raise InputError("trainer", type(problem.trainer).__name__, "Ridge for theory=mixed_gaussians", hint)
    law, t = _radial(problem, classes), check_number("t", problem.t, above=0)
    ridge = check_number("trainer.ridge", problem.trainer.ridge, least=0)
    at = Setting(0, 0.0, math.exp(-2.0 * t), -math.expm1(-2.0 * t), ridge)
    times = check_times(problem.trainer.training_times)
    found = errors_in_time(law, at, times, float(problem.trainer.step))
    signal = at.a2 * np.outer(law.squares, law.eigenvalues)
    floor = float(law.probabilities @ (signal / (signal + at.h)) @ law.weights)
    return found | {"score": (found["test"] - floor) / at.h, "floor": np.full(times.size, floor)}


def _radial(problem: Any, classes: Classes) -> Radial:
    law = radial(classes, check_number("psi_n", problem.psi_n, above=0))
    if law is None:
        hint = "classes with means, or with spectra of their own, have ridge minimisers only"
        raise InputError("data", type(problem.data).__name__, "elliptical data", hint)
    return law
