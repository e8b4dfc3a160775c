"""The parameters at which a metric of the theory is least: a grid over all, then zooms around its best point.

Minima of the theories here are broad (`best_ridge`), so a grid with two points a decade finds the right
valley along one axis; along several the answer is the best of what was looked at, and says where that is an
edge.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_choice, check_number, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.parts.vary import vary
from simdiff.problem import Problem
from simdiff.theory import evaluate_many

RANGES: Mapping[str, Any] = {
    "trainer.ridge": (1e-8, 1e4),
    "model.psi_p": (1e-2, 1e2),
    "psi_n": (1e-2, 1e2),
    "m": [1, 2, 4, 8, 16, 32, 64, math.inf],
}
"""Where the parameters that are only named are sought."""

_PER_DECADE, _AT_ONCE, _ZOOMS, _MOST = 2, 7, 5, 20_000
"""Points of the first grid, points of each zoom, zooms (each keeps two intervals), most points at once."""


@dataclasses.dataclass(frozen=True)
class Best:
    """The least value of a metric, and where.

    values: {parameter: value}. value: of the metric; nan where the theory is nowhere known. at_edge:
    parameters whose value is an end of what was searched, beyond which the metric may be less still. problem:
    with these values.
    """

    values: Mapping[str, float]
    value: float
    at_edge: tuple[str, ...]
    problem: Problem

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {value:.4g}" for name, value in self.values.items())
        edge = f"; at the edge of what was searched: {', '.join(self.at_edge)}" if self.at_edge else ""
        return f"{self.value:.4g} at {where}{edge}"


@with_pinned_settings
def best(
    problem: Problem,
    over: Sequence[str] | Mapping[str, Any],
    metric: str = "test",
    theory: Any = None,
    budget: float | None = None,
) -> Best:
    """The values of some parameters at which a metric of the theory is least, everything else as it is.

    Args:
        problem: without a time axis.
        over: parameters by their dotted paths, sought in `RANGES`; or {path: what to search}, a tuple
            (low, high) of positive numbers or a list of values. Parameters in a range are found to about 1%.
        metric: any metric of the theory.
        theory: as in `simdiff.predict`.
        budget: the most features times noised samples, psi_p psi_n m (in units of d^2); None: no limit.

    Raises:
        InputError: no such parameter or metric, a bad range, a problem with a time axis, a budget for a
            problem without these three, or no point within it.
    """
    check_type("problem", problem, Problem)
    if problem.times is not None:
        raise InputError("problem", type(problem).__name__, "one without a time axis", "see best_stopping")
    check_choice("metric", metric, [m.name for m in problem.metrics])
    _check_budget(problem, budget)
    spans = _spans(over)
    axes = {name: _first(span) for name, span in spans.items()}
    found = _least(problem, axes, metric, theory, budget)
    for _ in range(_ZOOMS if any(isinstance(span, tuple) for span in spans.values()) else 0):
        axes = {name: _nearer(spans[name], axes[name], found[0][name]) for name in spans}
        found = min(found, _least(problem, axes, metric, theory, budget), key=lambda one: _ranked(one[1]))
    values, value = found
    edges = tuple(name for name, span in spans.items() if values[name] in _ends(span))
    return Best(values, value, edges, vary(problem, values))


def _check_budget(problem: Any, budget: float | None) -> None:
    if budget is None:
        return
    check_number("budget", budget, above=0)
    if not all(hasattr(problem, name) for name in ("psi_n", "m")) or not hasattr(
        getattr(problem, "model", None), "psi_p"
    ):
        raise InputError("budget", budget, "None for a problem without psi_n, m and model.psi_p")


def _spans(over: Any) -> dict[str, Any]:
    if not isinstance(over, Mapping):
        named = [over] if isinstance(over, str) else list(over)
        over = {
            check_choice("over", name, RANGES, ", or a mapping with a range"): RANGES[name] for name in named
        }
    if not over:
        raise InputError("over", over, "one parameter or more")
    return {name: _span(f"over[{name!r}]", span) for name, span in over.items()}


def _span(field: str, span: Any) -> Any:
    if isinstance(span, tuple) and len(span) == 2:
        low, high = (check_number(field, end, above=0) for end in span)
        if low < high:
            return low, high
    elif isinstance(span, list) and span:
        return span
    raise InputError(field, span, "(low, high) with 0 < low < high, or a list of values")


def _first(span: Any) -> list[Any]:
    if isinstance(span, list):
        return span
    count = 1 + max(2, math.ceil(_PER_DECADE * math.log10(span[1] / span[0])))
    return np.geomspace(span[0], span[1], count).tolist()


def _nearer(span: Any, values: Sequence[float], at: float) -> list[float]:
    """Points between the neighbours of the best one."""
    if isinstance(span, list):
        return [at]
    place = int(np.argmin(np.abs(np.log(values) - math.log(at))))
    low, high = values[max(place - 1, 0)], values[min(place + 1, len(values) - 1)]
    return np.geomspace(low, high, _AT_ONCE).tolist()


def _ends(span: Any) -> tuple[Any, ...]:
    """What more of could still be better: the ends of a range, and no value of a list."""
    return span if isinstance(span, tuple) else ()


def _least(
    problem: Problem, axes: Mapping[str, Sequence[Any]], metric: str, theory: Any, budget: float | None
) -> tuple[dict[str, Any], float]:
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    if len(points) > _MOST:
        raise InputError("over", list(axes), f"at most {_MOST} points at once", "fewer parameters at a time")
    varied = [(point, vary(problem, point)) for point in points]
    kept = [pair for pair in varied if budget is None or _pairs(pair[1]) <= budget]
    if not kept:
        raise InputError("budget", budget, f"at least {min(_pairs(p) for _, p in varied):.4g}")
    values = evaluate_many(theory, [p for _, p in kept])
    found = [(point, float(one.get(metric, math.nan))) for (point, _), one in zip(kept, values, strict=True)]
    return min(found, key=lambda one: _ranked(one[1]))


def _pairs(problem: Any) -> float:
    """Features times noised samples."""
    return problem.model.psi_p * problem.psi_n * problem.m


def _ranked(value: float) -> float:
    return math.inf if math.isnan(value) else value
