"""When to stop training, and when networks generalize and memorize: read off the theory's curves in time.

Training is gradient flow from zero (`trainers.GradientFlow`). Curves are looked at on a logarithmic grid
over all times, then the best time is refined.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simdiff.analysis import best_ridge
from simdiff.errors import InputError, check_choice, check_number
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem
from simdiff.theory import evaluate
from simdiff.trainers import GradientFlow, Ridge

TheorySpec = str | Callable[[Problem], Mapping[str, Any]] | None

SPAN = (1e-2, 1e8)
_GRID, _ZOOMED = 201, 41
"""Times looked at: 20 a decade, and within two steps of the best of them."""

FLAT = 1e-3
"""The test error counts as being at its minimum where it exceeds it by this fraction at most."""


@dataclasses.dataclass(frozen=True)
class Stopping:
    """The best time to stop, and the best ridge trained to the end.

    `at_edge`: the least value is at the first or last time looked at, so the true best lies beyond. `gain`
    is ridge_value / value - 1: how much worse the best ridge is than the best time (negative: better).
    """

    metric: str
    time: float
    value: float
    at_edge: bool
    ridge: float
    ridge_value: float

    @property
    def gain(self) -> float:
        """Relative excess of the best ridge over the best stopping time."""
        return self.ridge_value / self.value - 1.0


@dataclasses.dataclass(frozen=True)
class TimeScales:
    """Times at which training generalizes and memorizes; nan for what never happens.

    generalization: first time at which the test error is at its minimum (within 0.1%). memorization: first
    later time at which the memorization error is half of what it was then.
    """

    generalization: float
    memorization: float

    @property
    def window(self) -> float:
        """memorization / generalization: how long training may go on without memorizing."""
        return self.memorization / self.generalization


@with_pinned_settings
def best_stopping(problem: Problem, metric: str = "test", theory: TheorySpec = None) -> Stopping:
    """The training time at which a metric of the theory is least, and how the best ridge compares.

    Args:
        problem: its trainer is a `GradientFlow`, whose ridge is kept and whose times don't matter, or a
            `Ridge`, which stands for a flow without ridge.
        metric: the metric to minimise.
        theory: of the flow; None: the problem's own.

    Raises:
        InputError: a problem of another kind, a metric that its theory lacks, or one that only decreases
            with training (train, objective), for which the question has no answer.
    """
    flow = _as_flow(problem)
    check_choice("metric", metric, [m.name for m in flow.metrics if m.compare])
    if metric in ("train", "objective"):
        hint = "it decreases for as long as one trains"
        raise InputError("metric", metric, "an error on fresh noise", hint)
    grid = np.geomspace(*SPAN, _GRID)
    least = int(np.argmin(_curve(flow, theory, metric, grid)))
    low, high = grid[max(0, least - 2)], grid[min(_GRID - 1, least + 2)]
    fine = np.geomspace(low, high, _ZOOMED)
    values = _curve(flow, theory, metric, fine)
    best = int(np.argmin(values))
    ridge = best_ridge(dataclasses.replace(flow, trainer=Ridge(1.0)), metric)
    edge = least in (0, _GRID - 1)
    return Stopping(metric, float(fine[best]), float(values[best]), edge, ridge.ridge, ridge.value)


@with_pinned_settings
def time_scales(problem: Problem, theory: TheorySpec = None) -> TimeScales:
    """The times of generalization and of memorization of gradient flow.

    Curves are taken at 20 times a decade, and as straight between them on logarithmic axes.

    Args:
        problem: as for `best_stopping`.
        theory: of the flow; None: the problem's own.

    Raises:
        InputError: a problem of another kind.
    """
    flow, grid = _as_flow(problem), np.geomspace(*SPAN, _GRID)
    at = dataclasses.replace(flow, trainer=dataclasses.replace(flow.trainer, times=tuple(grid)))
    curves = evaluate(theory, at)
    test, memorization = (np.asarray(curves[name]) for name in ("test", "memorization"))
    reached = _first_below(grid, test, (1.0 + FLAT) * float(np.min(test)))
    if math.isnan(reached):
        return TimeScales(math.nan, math.nan)
    then = float(np.exp(np.interp(math.log(reached), np.log(grid), np.log(memorization))))
    later = grid >= reached
    return TimeScales(reached, _first_below(grid[later], memorization[later], then / 2))


def _as_flow(problem: Any) -> Any:
    """The problem with a gradient flow in place of its trainer."""
    trainer = getattr(problem, "trainer", None)
    solution, step = getattr(trainer, "solution", None), getattr(trainer, "step", 0.0)
    if solution == "path" and step == 0:
        return problem
    if solution != "minimum":
        hint = "use trainer=GradientFlow(times=[...])"
        raise InputError("trainer", type(trainer).__name__, "GradientFlow or Ridge", hint)
    return dataclasses.replace(problem, trainer=GradientFlow((1.0,)))


def _curve(flow: Any, theory: TheorySpec, metric: str, times: np.ndarray) -> np.ndarray:
    at = dataclasses.replace(flow, trainer=dataclasses.replace(flow.trainer, times=tuple(times)))
    found = evaluate(theory, at)
    check_choice("metric", metric, found)
    values = np.asarray(found[metric])
    if not np.isfinite(values).all():
        raise InputError("theory", metric, "finite values at all times", "the theory did not converge there")
    return values


def _first_below(times: np.ndarray, values: np.ndarray, level: float) -> float:
    """The first time at which values fall to the level, between grid points by the logarithms; nan: never."""
    below = values <= check_number("level", level)
    if not below.any():
        return math.nan
    k = int(np.argmax(below))
    if k == 0:
        return float(times[0])
    share = math.log(values[k - 1] / level) / math.log(values[k - 1] / values[k])
    return float(times[k - 1] * (times[k] / times[k - 1]) ** share)
