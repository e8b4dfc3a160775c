"""Numbers derived from several limits of a run: ratios, slopes, peaks and crossings, with jackknife errors.

Every one is a smooth function of the limits at the run's points. Each trial in turn is left out of the means
of its point and size, for all metrics at once, and the function is evaluated again: the spread of what comes
out is its variance, summed over points and sizes, which are independent of each other. What is discrete in a
function, which points a peak or a crossing lies between, is settled once with all trials. Trials were added
until standard errors sufficed, so the error is raised by sqrt(1 + 2/dof) as that of a limit is.

A theory's value is the same function of the theory's limits at the same points.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simdiff.errors import InputError, check_choice
from simdiff.identity.description import flatten
from simdiff.validation import OK, Judgement
from simdiff.validation.estimators import FloatArray
from simdiff.validation.study import Study

if TYPE_CHECKING:
    from simdiff.run.run import Run

Function = Callable[[FloatArray], float]
"""Of limits (metrics, points)."""


@dataclasses.dataclass(frozen=True)
class Derived:
    """A number with its standard error, and what the theory says.

    name: what it is. dof: effective degrees of freedom of `stderr`. theory: nan without one. reason: why the
    value is nan; "" where it is not.
    """

    name: str
    value: float
    stderr: float
    dof: float
    theory: float = math.nan
    reason: str = ""

    @property
    def p_value(self) -> float:
        """Two-sided, of the theory's value; nan without one."""
        from scipy import stats as distributions

        if not self.stderr > 0:
            return math.nan
        return float(2 * distributions.t.sf(abs(self.value - self.theory) / self.stderr, self.dof))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The confidence interval (Student's t)."""
        from scipy import stats as distributions

        half = float(distributions.t.ppf(0.5 + confidence / 2, self.dof)) * self.stderr
        return self.value - half, self.value + half

    def __str__(self) -> str:
        from simdiff.report.plots.numbers import with_error, without_error

        if self.reason:
            return f"{self.name}: nan, {self.reason}"
        text = f"{self.name} = {with_error(self.value, self.stderr)}"
        if math.isnan(self.theory):
            return text
        return f"{text}, theory {without_error(self.theory, self.stderr)}, p = {self.p_value:.2g}"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits (metrics, points), the theory's, and by how much each trial, left out, moves them.

    moves: for every point and size an array (metrics, trials), with the number of the point.
    """

    x: FloatArray
    limits: FloatArray
    theory: FloatArray
    moves: Sequence[tuple[int, FloatArray]]

    def derive(self, name: str, function: Function) -> Derived:
        """The function of the limits with its error."""
        value, parts = function(self.limits), []
        for point, moves in self.moves:
            count = moves.shape[1]
            found = np.array([function(_moved(self.limits, point, moves[:, i])) for i in range(count)])
            parts.append(((count - 1) / count * float(np.sum((found - found.mean()) ** 2)), count - 1))
        total = sum(part for part, _ in parts)
        spread = sum(part**2 / dof for part, dof in parts)
        dof = total**2 / spread if spread > 0 else math.inf
        stderr = math.sqrt(total * (1 + 2 / dof))
        return Derived(name, value, stderr, dof, function(self.theory))


def _moved(limits: FloatArray, point: int, by: FloatArray) -> FloatArray:
    moved = limits.copy()
    moved[:, point] += by
    return moved


def limits_of(
    run: Run, metrics: Sequence[str], x: str | None, where: Mapping[str, Any], time: float | None
) -> Limits:
    """The limits of some metrics along x (or at one point), at the points that agree with `where`."""
    chosen = _chosen(run, x, where)
    judged = {
        (j.hypothesis.point, j.hypothesis.metric): j for j in run.verdict.judgements if _at(j, run, time)
    }
    for metric in metrics:
        check_choice("metric", metric, {name for _, name in judged})
    every = [[judged[study.point, metric] for study in chosen] for metric in metrics]
    estimates = np.array([[j.estimate for j in row] for row in every], np.float64)
    theory = np.array([[_theory(j) for j in row] for row in every], np.float64)
    moves = [
        (i, move)
        for i, study in enumerate(chosen)
        for k in range(len(study.sizes))
        if (move := _moves(run, study, metrics, [row[i] for row in every], k, time)).size
    ]
    places = [float(flatten(study.problem.describe())[x]) for study in chosen] if x else [0.0]
    return Limits(np.array(places), estimates, theory, moves)


def _theory(j: Judgement) -> float:
    return j.hypothesis.theory if j.hypothesis.tested and j.hypothesis.theory is not None else math.nan


def _at(j: Judgement, run: Run, time: float | None) -> bool:
    """Whether a judgement is of the first theory, and of the time that is asked for."""
    names = [study.theory_name for study in run.studies]
    times = [t for study in run.studies for t in study.problem.times or ()]
    wanted = (max(times) if time is None else time) if times else None
    same = wanted is None or (j.hypothesis.time is not None and math.isclose(j.hypothesis.time, wanted))
    return j.hypothesis.theory_name == names[0] and same


def _chosen(run: Run, x: str | None, where: Mapping[str, Any]) -> list[Study]:
    """The studies of the points that are asked for, along x."""
    points = list({study.point: study for study in run.studies}.values())
    flat = {study.point: flatten(study.problem.describe()) for study in points}
    for name in [*where, *([x] if x else [])]:
        check_choice("a parameter of the run", name, {name for one in flat.values() for name in one})
    wanted = {name: _plain(value) for name, value in where.items()}
    found = [s for s in points if all(_plain(flat[s.point].get(k)) == v for k, v in wanted.items())]
    if x is None:
        if len(found) != 1:
            raise InputError("where", dict(where), "parameters of one point", f"{len(found)} points agree")
        return found
    found.sort(key=lambda study: float(flat[study.point][x]))
    values = [flat[study.point][x] for study in found]
    if len(set(values)) < len(values) or not values:
        hint = (
            f"{len(values)} points at {len(set(values))} values of {x}: give the other parameters in where="
        )
        raise InputError("where", dict(where), f"parameters that leave one point for each {x}", hint)
    return found


def _plain(value: Any) -> Any:
    """A value as descriptions have it, numbers as floats."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return float(value) if value in ("inf", "-inf") else value


def _moves(
    run: Run, study: Study, metrics: Sequence[str], judged: Sequence[Judgement], k: int, time: float | None
) -> FloatArray:
    """By how much each trial at the k-th size, left out, moves the limits: (metrics, trials)."""
    fit, stats = judged[0].fit, judged[0].hypothesis.stats
    if len(fit.weights) != len(study.sizes):
        raise InputError("run", study.point, "points whose every size has two usable trials")
    count = int(stats.totals[k])
    rows = run.store.trials(study.point, int(stats.sizes[k]), study.seed)
    rows = rows[(rows["trial"] < count) & (rows["status"] == OK)]
    if study.problem.times is not None:
        at = max(study.problem.times) if time is None else time
        rows = rows[np.isclose(rows["time"].to_numpy(np.float64), at)]
    values = rows.drop_duplicates("trial")[list(metrics)].to_numpy(np.float64).T
    if values.shape[1] < 2:
        return np.zeros((len(metrics), 0))
    return fit.weights[k] * (values.mean(1, keepdims=True) - values) / (values.shape[1] - 1)


def ratio(run: Run, metric: str, over: str | None, at: Any, to: Any, time: float | None) -> Derived:
    """See `Run.ratio`."""
    if over is not None:
        both = limits_of(run, [metric, over], None, at, time)
        return both.derive(f"{metric}/{over}", lambda v: float(v[0, 0] / v[1, 0]))
    first, second = (limits_of(run, [metric], None, where, time) for where in (at, to))
    moves = [*first.moves, *((1, move) for _, move in second.moves)]
    limits, theory = (np.hstack([getattr(f, n) for f in (first, second)]) for n in ("limits", "theory"))
    name = f"{metric} at {dict(at)} over that at {dict(to)}"
    return Limits(np.zeros(2), limits, theory, moves).derive(name, lambda v: float(v[0, 0] / v[0, 1]))


def slope(run: Run, metric: str, x: str, log: bool, where: Mapping[str, Any], time: float | None) -> Derived:
    """See `Run.slope`."""
    name = f"slope of {'ln ' if log else ''}{metric} in {'ln ' if log else ''}{x}"
    return slope_of(limits_of(run, [metric], x, where, time), name, log)


def slope_of(found: Limits, name: str, log: bool) -> Derived:
    """The least-squares slope of the first metric along x."""
    if len(found.x) < 2:
        raise InputError("x", found.x.tolist(), "a parameter with two values or more")
    if log and not ((found.x > 0).all() and (found.limits > 0).all()):
        raise InputError("log", True, "false: a value is not positive")
    places = np.log(found.x) if log else found.x
    weights = (places - places.mean()) / np.sum((places - places.mean()) ** 2)
    return found.derive(name, lambda v: float(weights @ (np.log(v[0]) if log else v[0])))


def peak(
    run: Run, metric: str, x: str, lowest: bool, log: bool, where: Mapping[str, Any], time: float | None
) -> Derived:
    """See `Run.peak` and `Run.argmin`."""
    name = f"{x} of the {'least' if lowest else 'largest'} {metric}"
    return peak_of(limits_of(run, [metric], x, where, time), name, lowest, log)


def peak_of(found: Limits, name: str, lowest: bool, log: bool) -> Derived:
    """The vertex of the parabola through the extremum of the first metric and its neighbours."""
    if log and not (found.x > 0).all():
        raise InputError("log", True, "false: a value is not positive")
    places = np.log(found.x) if log else found.x
    top = int(np.argmin(found.limits[0]) if lowest else np.argmax(found.limits[0]))
    if not 0 < top < len(places) - 1:
        reason = f"the extremum is at the end of the values, {found.x[top]:g}, and may lie beyond"
        return Derived(name, math.nan, math.nan, math.nan, reason=reason)
    near = slice(top - 1, top + 2)

    def function(v: FloatArray) -> float:
        vertex = _vertex(places[near], v[0, near])
        return math.exp(vertex) if log else vertex

    return found.derive(name, function)


def _vertex(x: FloatArray, y: FloatArray) -> float:
    """Where the parabola through three points has its extremum."""
    left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    if left == right:
        return math.nan
    return float((x[0] + x[1]) / 2 - left * (x[2] - x[0]) / (2 * (right - left)))


def crossing(
    run: Run, metric: str, x: str, other: str | float, where: Mapping[str, Any], time: float | None
) -> Derived:
    """See `Run.crossing`."""
    metrics = [metric, other] if isinstance(other, str) else [metric]
    level = None if isinstance(other, str) else other
    return crossing_of(limits_of(run, metrics, x, where, time), f"{x} where {metric} = {other}", level)


def crossing_of(found: Limits, name: str, level: float | None) -> Derived:
    """Where the first metric has this level, or, for None, the value of the second metric."""

    def gaps(v: FloatArray) -> FloatArray:
        return v[0] - (v[1] if level is None else level)

    signs = np.sign(gaps(found.limits))
    places = np.flatnonzero(signs[1:] * signs[:-1] <= 0)
    if len(places) != 1:
        reason = f"{len(places)} crossings among the points"
        return Derived(name, math.nan, math.nan, math.nan, reason=reason)
    i = int(places[0])

    def function(v: FloatArray) -> float:
        gap = gaps(v)
        return float(found.x[i] + (found.x[i + 1] - found.x[i]) * gap[i] / (gap[i] - gap[i + 1]))

    return found.derive(name, function)
