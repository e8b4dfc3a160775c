"""The theory of models trained on mixtures of Gaussians: elliptical data, and data with classes.

Exact minimisers, linear denoisers and random features, at any number m of noise draws and any ridge, for
every law that says what mixture it is (`gaussian_classes`); per-class test errors where a problem lists
them. On elliptical data also linear sampling chains, and linear denoisers trained in time at m = infinity.
A law with a continuous radius, and class means with random features, are averaged over by Gauss rules,
which are refined until two agree.

Sources: George, Veiga, Macris, arXiv 2502.00336, for one class; El Karoui, Annals of Applied Probability
19, 2362 (2009), for the resolvent of elliptical data.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.mixed_gaussians.class_errors import ClassErrors, class_errors
from simdiff.theory.mixed_gaussians.classes import Classes, classes_of, groups_of
from simdiff.theory.mixed_gaussians.fixed_point import solve
from simdiff.theory.mixed_gaussians.linear_models import flow_errors, sampling_metrics
from simdiff.theory.protocols import is_minimum, takes_time

RADII, BIASES = (16, 24, 36, 54), (12, 18, 27, 40)
"""Nodes of the Gauss rules, one pair after the other."""

MOST_TYPES = 1000
"""Of features: the time of a solution grows as their cube."""

SAME = 1e-4
"""Relative difference of two rules that counts as agreement; the finer one is better than that."""

Found = dict[str, np.ndarray] | str
"""Metrics, or why there are none."""


@register("theory", "mixed_gaussians")
def predict(problem: Any) -> dict[str, Any]:
    """Limits of the problem's metrics as d grows: floats, or arrays over `problem.times`.

    The five errors and the test error of every class; of a `LinearSampling` its losses and divergences. A
    point whose fixed point is not found, or whose Gauss rules do not settle, gives nan and a
    `ConvergenceWarning` that says why.

    Raises:
        InputError: data that are no mixture of Gaussians, another model or trainer, class means along more
            than two directions with random features, or a value outside its range.
    """
    _check(problem)
    values = _refined(problem)
    if isinstance(values, str):
        warnings.warn(f"{values} at {_place(problem)}: predictions are nan", ConvergenceWarning, stacklevel=2)
        blank = np.full(len(problem.times or (0,)), math.nan)
        values = {m.name: blank for m in problem.metrics if m.compare}
    listed = {m.name: np.atleast_1d(values[m.name]) for m in problem.metrics if m.name in values}
    if problem.times is None:
        return {name: float(value[0]) for name, value in listed.items()}
    return dict(listed)


predict.solution = "minimum"  # type: ignore[attr-defined]


def _check(problem: Any) -> None:
    data: Any = getattr(problem, "data", None)
    if not callable(getattr(data, "gaussian_classes", None)) or data.gaussian_classes() is None:
        hint = "mixed_gaussians describes Elliptical and GaussianMixture, and takes images for elliptical"
        raise InputError("data", type(data).__name__, "a mixture of Gaussians with common eigenvectors", hint)
    if _samples(problem):
        return
    model, trainer = getattr(problem, "model", None), getattr(problem, "trainer", None)
    if getattr(model, "theory", None) not in ("linear_denoiser", "gaussian_equivalence"):
        raise InputError("model", type(model).__name__, "Linear or RandomFeatures")
    if not is_minimum(trainer) and not takes_time(trainer):
        hint = "mixed_gaussians describes the exact ridge minimiser, and linear maps trained in time"
        raise InputError("trainer", type(trainer).__name__, "Ridge", hint)


def _samples(problem: Any) -> bool:
    return callable(getattr(problem, "spectral_functions", None))


def _refined(problem: Any) -> Found:
    """By Gauss rules of more and more nodes, until two agree; at once where nothing is averaged over.

    Metrics that do not settle are nan. Those that grow faster than r^2, such as the covariance's error, are
    the last to do so.
    """
    before: dict[str, np.ndarray] = {}
    unsettled: list[str] = []
    for radii, biases in zip(RADII, BIASES, strict=True):
        classes = classes_of(problem.data, radii)
        found, exact = _by_rule(problem, classes, biases)
        if isinstance(found, str):
            return found
        if not all(np.isfinite(value).all() for value in found.values()):
            return "a value is not finite"
        unsettled = [name for name in found if not _agree(before.get(name), found[name])]
        if (exact and not classes.reduced) or not unsettled:
            return found
        before = found
    why = f"Gauss rules of up to {radii} radii and {biases} biases do not settle at {_place(problem)}"
    warnings.warn(f"{why}: nan for {', '.join(unsettled)}", ConvergenceWarning, stacklevel=3)
    return before | {name: np.full_like(before[name], math.nan) for name in unsettled}


def _by_rule(problem: Any, classes: Classes, biases: int) -> tuple[Found, bool]:
    """The metrics, and whether no bias of features was averaged over."""
    if _samples(problem):
        return sampling_metrics(problem, classes) or "the contour or the fixed point did not converge", True
    if not is_minimum(problem.trainer):
        return flow_errors(problem, classes), True
    ridge = check_number("trainer.ridge", problem.trainer.ridge, above=0)
    groups = groups_of(problem, ridge, classes, biases)
    if groups.shares.size > MOST_TYPES:
        return f"{groups.shares.size} types of features are too many", False
    if not all(np.isfinite(part).all() for part in (groups.phi, groups.loads, groups.excess)):
        return "constants of the activation are not known", True
    solution = solve(groups)
    if not solution.converged:
        return "the fixed point was not found", True
    return _named(classes, class_errors(groups, solution)), groups.shares.size == 1


def _named(classes: Classes, found: ClassErrors) -> dict[str, np.ndarray]:
    """Totals, and the classes' test errors unless classes are nodes of a quadrature."""
    parts = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    totals = {name: np.asarray(classes.probabilities @ part) for name, part in parts.items()}
    each = {f"test_class_{k}": np.asarray(value) for k, value in enumerate(found.test)}
    return totals if classes.reduced else totals | each


def _agree(before: np.ndarray | None, found: np.ndarray) -> bool:
    return before is not None and bool(np.all(np.abs(found - before) <= SAME * np.abs(before)))


def _place(problem: Any) -> str:
    names = ("psi_n", "m", "t")
    return ", ".join(f"{name}={getattr(problem, name):.6g}" for name in names if hasattr(problem, name))
