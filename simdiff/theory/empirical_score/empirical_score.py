"""The theories of `EmpiricalScore`: exact at finite d, and the curves of the limit that others have drawn."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.theory.empirical_score.classes import Classes, classes_of
from simdiff.theory.empirical_score.clones import clone_agreement
from simdiff.theory.empirical_score.energies import collapse
from simdiff.theory.empirical_score.limits import entropy_density, point_information, rounded_entropy_density
from simdiff.theory.protocols import Exponential


@register("theory", "empirical_score")
def predict(problem: Any) -> dict[str, np.ndarray]:
    """Every metric at every time: exact at the problem's size, and the limit where it has none.

    At a size, for isotropic data and isotropic classes with means on a line, everything: the law of n
    independent energies. For the probability flow the same but for `collapsed`, since where its trajectories
    end is another question, and clones for infinitely many points only. The limit has the excess entropy,
    and `collapsed`, 1 below the collapse time and 0 above, of classes of any covariance; clones at a
    fixed time agree always where their classes are of norm sqrt(d). Metrics that are left out have no theory.

    Raises:
        InputError: a problem without times, or data without classes and without a spectrum.
    """
    data, times = _parts(problem)
    size = getattr(problem, "size", None)
    if math.isinf(problem.alpha or 0.0):
        return _clones(data, math.inf if size is None else size, times)
    if size is None:
        return _limit(problem, data, times)
    classes = classes_of(data, size)
    return {} if classes is None else _exact(problem, classes, size, times)


@register("theory", "collapse_limit")
def predict_limit(problem: Any) -> dict[str, np.ndarray]:
    """The excess entropy max(0, alpha - I(t)) of arXiv 2402.18491 at every size, without corrections.

    Raises:
        InputError: as `empirical_score`.
    """
    return _entropies(problem, lambda data, alpha, t, d: entropy_density(data, alpha, t))


@register("theory", "collapse_label")
def predict_label(problem: Any) -> dict[str, np.ndarray]:
    """The same with I(class; x_t) <= log K taken off log n at every size.

    Raises:
        InputError: as `empirical_score`.
    """
    return _entropies(problem, entropy_density)


@register("theory", "collapse_rounded")
def predict_rounded(problem: Any) -> dict[str, np.ndarray]:
    """The same, rounded by the variance of the information that one x_t gives, to first order.

    Raises:
        InputError: as `empirical_score`.
    """
    return _entropies(
        problem,
        lambda data, alpha, t, d: (
            entropy_density(data, alpha, t) if math.isinf(d) else rounded_entropy_density(data, alpha, t, d)
        ),
    )


def _parts(problem: Exponential) -> tuple[Any, tuple[float, ...]]:
    data, times = getattr(problem, "data", None), getattr(problem, "times", None)
    if not times or not hasattr(problem, "log_count"):
        raise InputError("theory", "empirical_score", "a theory for this problem", "it is for EmpiricalScore")
    if not callable(getattr(data, "spectrum", None)):
        raise InputError("data", type(data).__name__, "a data law with spectrum()")
    return data, times


def _entropies(problem: Exponential, of: Any) -> dict[str, np.ndarray]:
    data, times = _parts(problem)
    size = getattr(problem, "size", None)
    alpha, d = _exponent(problem), math.inf if size is None else size
    return {"excess_entropy": np.array([of(data, alpha, t, d) for t in times])}


def _exponent(problem: Exponential) -> float:
    """log(n) / d; its limit where the problem has no size: 0 for n of order d."""
    size = getattr(problem, "size", None)
    if size is not None:
        return math.log(problem.count(size)) / size
    return problem.log_count(1) if problem.psi_n is None else 0.0


def _clones(data: Any, d: float, times: tuple[float, ...]) -> dict[str, np.ndarray]:
    classes = classes_of(data, d)
    if classes is None:
        return {}
    return {"clone_agreement": np.array([clone_agreement(classes, d, t) for t in times])}


def _exact(problem: Exponential, classes: Classes, d: int, times: tuple[float, ...]) -> dict[str, np.ndarray]:
    log_n = math.log(problem.count(d))
    rows = [dataclasses.asdict(collapse(classes, d, log_n, t)) for t in times]
    left_out = {"collapsed"} if problem.process == "flow" else set()
    left_out |= set() if problem.fresh else {"nearest_fresh"}
    return {name: np.array([row[name] for row in rows]) for name in rows[0] if name not in left_out}


def _limit(problem: Exponential, data: Any, times: tuple[float, ...]) -> dict[str, np.ndarray]:
    alpha = _exponent(problem)
    found = {"excess_entropy": np.array([entropy_density(data, alpha, t) for t in times])}
    if problem.process == "flow":
        return found
    weights = getattr(data, "probabilities", np.ones(1))
    return found | {"collapsed": np.array([weights @ (alpha < point_information(data, t)) for t in times])}
