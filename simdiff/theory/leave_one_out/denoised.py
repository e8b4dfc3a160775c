"""Errors of linear denoisers at one noise level, on points of any law.

With the noise average taken exactly (m = infinity) U = a^2 Sigma_hat + h, and B = -sqrt(h) phi(U), so with
phi of the ridge minimiser, 1 / (U + ridge), or of training in time (`numerics.filters`)

    test  = (1/d) tr [ (1 - h phi)^2 + a^2 Sigma h phi^2 ]
    train = (1/d) tr [ (1 - h phi)^2 + a^2 Sigma_hat h phi^2 ] = memorization
    objective = train + ridge (h/d) tr phi^2

The minimiser's phi has one pole: (1/d) tr w phi^2 is a derivative of the resolvent there. Training in time
takes a contour.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError, check_number
from simdiff.theory.denoising.gradient_flow import check_times
from simdiff.theory.leave_one_out.contour_rule import CLOSE, COUNTS, Functionals
from simdiff.theory.leave_one_out.mean_features import mean_errors
from simdiff.theory.leave_one_out.noise_draws import Setting, ridge_errors
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.linear_chain.one_point import Rule
from simdiff.theory.numerics.contour import GROWTH
from simdiff.theory.numerics.filters import training_filter
from simdiff.theory.protocols import Described, is_minimum, takes_time

WIDTH = 0.75
"""Half the width of the contour in Im log(z + offset)."""

Errors = dict[str, Any]


def denoised_errors(problem: Described, points: Population, count: int) -> Errors | None:
    """test, train, memorization, objective: numbers, or arrays over times; None where they are not known.

    Random features take the exact noise average, and have a mean over their weights, too.

    Raises:
        InputError: a bias, another trainer, or training in time at a finite number of noise draws.
    """
    at = _setting(problem, count)
    if not problem.model.linear:
        return mean_errors(problem, points, at)
    if is_minimum(problem.trainer):
        return _minimum(Functionals(points, count), at) if at.i == 0.0 else ridge_errors(points, at)
    if not takes_time(problem.trainer):
        hint = "leave_one_out describes the exact ridge minimiser and training in time"
        raise InputError("trainer", type(problem.trainer).__name__, "Ridge, or one with times", hint)
    if at.i > 0.0:
        hint = "training in time is described with the noise average taken exactly"
        raise InputError("m", problem.m, "math.inf for theory=leave_one_out", hint)
    times = check_times(problem.trainer.training_times)
    return errors_in_time(Functionals(points, count), at, times, float(problem.trainer.step))


def _setting(problem: Described, count: int) -> Setting:
    if not getattr(problem.model, "linear", False) and not hasattr(problem.model, "activation"):
        allowed = "Linear, or RandomFeatures, for theory=leave_one_out"
        raise InputError("model", type(problem.model).__name__, allowed)
    if getattr(problem.model, "bias", False):
        hint = "a bias is a term of order 1/N, which this theory has without it only"
        raise InputError("model.bias", True, "false for theory=leave_one_out", hint)
    t, ridge = check_number("t", problem.t, above=0), problem.trainer.ridge
    ridge = check_number("trainer.ridge", ridge, least=0)
    return Setting(count, 1.0 / problem.m, math.exp(-2.0 * t), -math.expm1(-2.0 * t), ridge)


def _minimum(functionals: Functionals, at: Setting) -> Errors:
    """From the resolvent at its one pole, -(h + ridge) / a^2, and its derivative."""
    total, s = at.h + at.ridge, functionals.points.eigenvalues
    value, slope = functionals.on_axis(-total / at.a2)
    phi = float(value.mean()) / at.a2
    square, signal = (float(np.mean(w * slope)) / at.a2**2 for w in (1.0, s))
    residual = 1.0 - 2.0 * at.h * phi + at.h**2 * square
    train = residual + at.h * (phi - total * square)
    return {
        "test": float(residual + at.a2 * at.h * signal),
        "train": float(train),
        "memorization": float(train),
        "objective": float(train + at.ridge * at.h * square),
    }


class HasRule(Protocol):
    """A population with rules for functionals of its sample covariance, see `contour_rule.Functionals`."""

    @property
    def points(self) -> Any:
        """What has the `eigenvalues` of Sigma."""

    def rule(self, observables: Float[np.ndarray, "w d"], offset: float, width: float, count: int) -> Rule:
        """Weights of (1/d) tr w g(Sigma_hat)."""


def errors_in_time(functionals: HasRule, at: Setting, times: Float[np.ndarray, " t"], step: float) -> Errors:
    """All errors by two contours that agree; nan where they do not."""
    before: Errors | None = None
    for nodes in COUNTS:
        found = _by_rule(functionals, at, times, step, nodes)
        if before is not None and _distance(before, found) < CLOSE:
            return found
        before = found
    return {name: np.full(times.size, math.nan) for name in found}


def _distance(before: Errors, after: Errors) -> float:
    """Largest relative change; infinite where a value is not finite."""
    changes = [np.max(np.abs(before[name] / after[name] - 1.0)) for name in after]
    return float(np.max(changes)) if np.isfinite(changes).all() else math.inf


def _by_rule(
    functionals: HasRule, at: Setting, times: Float[np.ndarray, " t"], step: float, nodes: int
) -> Errors:
    """All errors by one contour; phi is entire, and does not grow right of the contour's left end."""
    offset = (at.h + at.ridge + GROWTH / float(times[-1])) / at.a2
    s = functionals.points.eigenvalues
    rule = functionals.rule(np.stack([np.ones_like(s), s]), offset, WIDTH, nodes)
    phi = training_filter(at.a2 * rule.nodes + at.h, times, at.ridge, step).solution
    one, sigma = (
        np.real(np.stack([(1.0 - at.h * phi) ** 2, phi**2, rule.nodes * phi**2]) @ w) for w in rule.weights
    )
    train = one[0] + at.a2 * at.h * one[2]
    return {
        "test": one[0] + at.a2 * at.h * sigma[1],
        "train": train,
        "memorization": train,
        "objective": train + at.ridge * at.h * one[1],
    }
