"""When to stop training, and when networks generalize and memorize: read off the theory's curves in time.

Training is gradient flow from zero (`trainers.GradientFlow`). Curves are looked at on a logarithmic grid
over all times, then the best time is refined.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
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

SPAN = (1e-12, 1e8)
"""Training of the largest eigenvalue, some psi_p times the largest variance, begins at its inverse."""
_GRID, _ZOOMED = 401, 41
"""Times looked at: 20 a decade, and within two steps of the best of them."""

_DECADE, ROUNDING = 21, 1e-9
"""Grid points of a decade, and what counts as no difference."""

FLAT = 1e-3
"""The test error counts as being at its minimum where it exceeds it by this fraction at most."""


class EdgeWarning(UserWarning):
    """The best time lies beyond the times looked at."""


@dataclasses.dataclass(frozen=True)
class Stopping:
    """The best time to stop, and the best ridge trained to the end.

    `at_edge`: no time looked at (`SPAN`) is better than the first or the last, so the best lies beyond.
    `time` is then nan, and so is `value`, unless the curve is flat there (to 0.1% over a decade). `gain` is
    ridge_value / value - 1: how much worse the best ridge is than the best time (negative: better).
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
    """Times at which training generalizes and memorizes; nan for what does not happen in `SPAN`.

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
    time, value = _least(flow, theory, metric)
    ridge = best_ridge(dataclasses.replace(flow, trainer=Ridge(1.0)), metric)
    return Stopping(metric, time, value, math.isnan(time), ridge.ridge, ridge.value)


def _least(flow: Any, theory: TheorySpec, metric: str) -> tuple[float, float]:
    """The best time and its value; without a time where it lies beyond the times looked at."""
    grid = np.geomspace(*SPAN, _GRID)
    values = _curve(flow, theory, metric, grid)
    if _at_end(values) or _at_end(values[::-1]):
        return math.nan, _beyond(metric, values if _at_end(values) else values[::-1])
    least = int(np.argmin(values))
    fine = np.geomspace(grid[max(0, least - 2)], grid[min(_GRID - 1, least + 2)], _ZOOMED)
    values = _curve(flow, theory, metric, fine)
    best = int(np.argmin(values))
    return float(fine[best]), float(values[best])


def _at_end(values: np.ndarray) -> bool:
    """Whether no value is below the last one by more than rounding."""
    return bool(values[-1] <= values.min() + ROUNDING * abs(values.min()))


def _flat_at_end(values: np.ndarray) -> bool:
    """Whether the last decade has changed values by 0.1% at most."""
    return bool(np.ptp(values[-_DECADE:]) <= FLAT * abs(values[-1]))


def _beyond(metric: str, values: np.ndarray) -> float:
    """The value that the curve has come to at its end; nan, with a warning, where it still changes."""
    flat = _flat_at_end(values)
    what = "its limit there is the value" if flat else "no best value is known"
    message = f"no time from {SPAN[0]:g} to {SPAN[1]:g} has a better {metric} than its end: {what}"
    warnings.warn(message, EdgeWarning, stacklevel=5)
    return float(values[-1]) if flat else math.nan


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
    settled = not _at_end(test) or _flat_at_end(test)
    reached = _first_below(grid, test, (1.0 + FLAT) * float(np.min(test))) if settled else math.nan
    if math.isnan(reached):
        return TimeScales(math.nan, math.nan)
    then = float(np.exp(np.interp(math.log(reached), np.log(grid), np.log(memorization))))
    later = grid >= reached
    times, values = np.append(reached, grid[later]), np.append(then, memorization[later])
    return TimeScales(reached, _first_below(times, values, then / 2))


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
    """The first time at which values fall to the level, between grid points by the logarithms.

    nan: never, or before the first.
    """
    below = values <= check_number("level", level)
    if not below.any():
        return math.nan
    k = int(np.argmax(below))
    if k == 0:
        return math.nan
    share = math.log(values[k - 1] / level) / math.log(values[k - 1] / values[k])
    return float(times[k - 1] * (times[k] / times[k - 1]) ** share)
