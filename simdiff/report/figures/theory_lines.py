"""Theory between the simulated points: dense lines and maps, from problems that are varied."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simdiff.errors import InputError
from simdiff.identity.description import flatten
from simdiff.parts.vary import vary
from simdiff.problem import Problem
from simdiff.report.figures.base import scalars
from simdiff.theory import evaluate_many

Theory = Callable[[Problem], Mapping[str, Any]] | None


def theory_table(problems: Sequence[Problem], theory: Theory) -> pd.DataFrame | None:
    """Predictions for many problems in one call where the theory can: parameters, metric, theory.

    None without a theory, and with a warning where the theory fails between the simulated points: a
    figure then has its values at those points only.
    """
    if theory is None:
        return None
    try:
        return pd.DataFrame(_rows(problems, theory))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        warnings.warn(f"no theory between the simulated points ({reason})", stacklevel=2)
        return None


def lines(problems: Sequence[Problem], theory: Theory, x: str, grid: int) -> pd.DataFrame | None:
    """Theory on a dense grid of x for every combination of the other values; None with a single x."""
    if x == "time":
        return _lines_in_time(problems, theory, grid)
    finite = sorted({v for v in (parameter(problem, x) for problem in problems) if is_finite(v)})
    if len(finite) < 2:
        return None
    dense = dense_values(problems[0], x, finite, grid)
    return theory_table([vary(start, {x: v}) for start in starts(problems, {x}) for v in dense], theory)


def _lines_in_time(problems: Sequence[Problem], theory: Theory, grid: int) -> pd.DataFrame | None:
    """Theory on a dense grid of times, or of an optimiser's steps; None where there is no span of them."""
    if counts_steps(problems):
        return theory_table([vary(start, {"trainer.records": grid}) for start in starts(problems)], theory)
    if any(len(parameter(problem, "trainer.times") or ()) < 2 for problem in problems):
        return None
    dense = [spread(parameter(start, "trainer.times"), grid) for start in starts(problems)]
    varied = [vary(start, {"trainer.times": t}) for start, t in zip(starts(problems), dense, strict=True)]
    return theory_table(varied, theory)


def counts_steps(problems: Sequence[Problem]) -> bool:
    """Whether times are an optimiser's steps."""
    return all("trainer.records" in flatten(problem.describe()) for problem in problems)


def starts(problems: Sequence[Problem], free: Collection[str] = ()) -> list[Problem]:
    """One problem for each combination of the parameters that differ between them, those in `free` aside."""

    def rest(problem: Problem) -> str:
        flat = flatten(problem.describe())
        return json.dumps({name: value for name, value in flat.items() if name not in free}, default=str)

    return list({rest(problem): problem for problem in problems}.values())


def parameter(problem: Problem, name: str) -> Any:
    """A parameter by its dotted name, None where the problem has none of that name."""
    return flatten(problem.describe()).get(name)


def dense_values(problem: Problem, name: str, values: Sequence[float], grid: int) -> list[float]:
    """`spread`, or whole values only, where the problem takes no others."""
    if all(float(value).is_integer() for value in values) and not _takes(problem, name, min(values) + 0.5):
        return sorted({int(value) for value in np.rint(spread(values, grid))})
    return spread(values, grid)


def spread(values: Sequence[float], grid: int) -> list[float]:
    """`grid` values from the least to the greatest and those given; logarithmic over a decade and more."""
    low, high = min(values), max(values)
    spaced = np.geomspace if low > 0 and high > 10 * low else np.linspace
    return sorted({*spaced(low, high, grid)[1:-1].tolist(), *map(float, values)})


def _takes(problem: Problem, name: str, value: float) -> bool:
    """Whether the problem's parameter may have this value."""
    try:
        vary(problem, {name: value})
    except (InputError, TypeError):  # a user's own problem may say it in Python's way
        return False
    return True


def is_finite(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _rows(problems: Sequence[Problem], theory: Callable) -> Iterator[dict[str, Any]]:
    for problem, found in zip(problems, evaluate_many(theory, problems), strict=True):
        parameters = scalars(problem)
        for metric, value in found.items():
            for time, number in _at_times(problem, value):
                yield {**parameters, **time, "metric": metric, "theory": float(number)}


def _at_times(problem: Problem, value: Any) -> list[tuple[dict[str, float], float]]:
    numbers = np.atleast_1d(np.asarray(value, float))
    if problem.times is None:
        return [({}, numbers[0])]
    return [({"time": t}, number) for t, number in zip(problem.times, numbers, strict=True)]
