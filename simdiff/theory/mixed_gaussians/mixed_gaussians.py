"""The theory of exact minimisers on mixtures of Gaussians: elliptical data, and data with classes.

Linear denoisers and random features, at any number m of noise draws and any ridge, for every law that says
what mixture it is (`gaussian_classes`); per-class test errors where a problem lists them. A law with a
continuous radius, and class means with random features, are averaged over by Gauss rules, which are refined
until two agree.

Sources: George, Veiga, Macris, arXiv 2502.00336, for one class; El Karoui, Annals of Applied Probability
19, 2362 (2009), for the resolvent of elliptical data.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.inputs import place_of
from simdiff.theory.mixed_gaussians.class_errors import ClassErrors, class_errors
from simdiff.theory.mixed_gaussians.classes import Classes, classes_of, groups_of
from simdiff.theory.mixed_gaussians.fixed_point import solve
from simdiff.theory.protocols import is_minimum

RADII, BIASES = (16, 24, 36, 54), (12, 18, 27, 40)
"""Nodes of the Gauss rules, one pair after the other."""

MOST_TYPES = 1000
"""Of features: the time of a solution grows as their cube."""

SAME = 1e-4
"""Relative difference of two rules that counts as agreement; the finer one is better than that."""


@register("theory", "mixed_gaussians")
def predict(problem: Any) -> dict[str, float]:
    """Limits of the problem's metrics as d grows: the five errors, and the test error of every class.

    A point whose fixed point is not found, or whose Gauss rules do not settle, gives nan and a
    `ConvergenceWarning` that says why.

    Raises:
        InputError: data that are no mixture of Gaussians, another model, a trainer other than `Ridge`, class
            means along more than two directions with random features, or a value outside its range.
    """
    _check(problem)
    ridge = check_number("trainer.ridge", problem.trainer.ridge, above=0)
    before: dict[str, float] = {}
    for radii, biases in zip(RADII, BIASES, strict=True):
        classes = classes_of(problem.data, radii)
        groups = groups_of(problem, ridge, classes, biases)
        if groups.shares.size > MOST_TYPES:
            break
        solution = solve(groups)
        if not solution.converged:
            return _nan(problem, "the fixed point was not found")
        values = _values(problem, classes, class_errors(groups, solution))
        if not all(math.isfinite(value) for value in values.values()):
            return _nan(problem, "a value is not finite")
        averaged = classes.reduced or groups.shares.size > 1
        if not averaged or _agree(before, values):
            return values
        before = values
    return _nan(problem, f"Gauss rules of up to {radii} radii and {biases} biases do not settle")


predict.solution = "minimum"  # type: ignore[attr-defined]


def _check(problem: Any) -> None:
    data: Any = getattr(problem, "data", None)
    model = getattr(problem, "model", None)
    if not callable(getattr(data, "gaussian_classes", None)) or data.gaussian_classes() is None:
        hint = "mixed_gaussians describes Elliptical and GaussianMixture"
        raise InputError("data", type(data).__name__, "a mixture of Gaussians with common eigenvectors", hint)
    if getattr(model, "theory", None) not in ("linear_denoiser", "gaussian_equivalence"):
        raise InputError("model", type(model).__name__, "Linear or RandomFeatures")
    if not is_minimum(getattr(problem, "trainer", None)):
        hint = "mixed_gaussians describes the exact ridge minimiser only"
        raise InputError("trainer", type(getattr(problem, "trainer", None)).__name__, "Ridge", hint)


def _values(problem: Any, classes: Classes, found: ClassErrors) -> dict[str, float]:
    """Totals, and the classes' test errors, as far as the problem lists them."""
    totals = {
        field.name: float(classes.probabilities @ getattr(found, field.name))
        for field in dataclasses.fields(found)
    }
    each = {f"test_class_{k}": float(value) for k, value in enumerate(found.test)}
    known = totals | (each if not classes.reduced else {})
    return {m.name: known[m.name] for m in problem.metrics if m.name in known}


def _agree(before: dict[str, float], values: dict[str, float]) -> bool:
    return bool(before) and all(abs(values[name] - old) <= SAME * abs(old) for name, old in before.items())


def _nan(problem: Any, why: str) -> dict[str, float]:
    width = "" if hasattr(problem.model, "psi_p") else "linear, "
    place = place_of(problem) if not width else f"psi_n={problem.psi_n:.6g}, m={problem.m}, t={problem.t:.6g}"
    warnings.warn(f"{why} at {place}: predictions are nan", ConvergenceWarning, stacklevel=3)
    names = (*(f.name for f in dataclasses.fields(ClassErrors)), "test_class")
    return {m.name: math.nan for m in problem.metrics if m.name.startswith(names)}
