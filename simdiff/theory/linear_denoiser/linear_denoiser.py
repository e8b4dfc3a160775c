"""The built-in theory of denoising score matching with a linear denoiser, at any number of noise draws.

Covers the exact ridge minimiser, gradient flow and descent, for every data law with a spectrum. To theory
such a denoiser is random features of the identity with psi_p = infinity, so it shares their `TheoryInputs`;
the equations of that limit are its own (`fixed_point`, `response`, `flow`). A bias changes no limit.

Sources: George, Veiga, Macris, arXiv 2502.00336, for the method; Merger, Goldt, arXiv 2505.24769, for
m = infinity.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.gradient_flow import check_times
from simdiff.theory.denoising.inputs import bayes_floor, gaussian_floor, inputs_of_many, parts_of, stack
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.linear_denoiser.fixed_point import Rows, Solution, rows_of, solve
from simdiff.theory.linear_denoiser.flow import linear_flow
from simdiff.theory.linear_denoiser.response import (
    memorization_excess,
    response,
    side,
    test_excess,
    train,
)
from simdiff.theory.protocols import Described, is_minimum, takes_time

_BATCH = 256
"""Points of the ridge minimiser solved at once: bounds memory."""


@register("theory", "linear_denoiser")
def predict(problem: Any) -> dict[str, Any]:
    """Limits of the problem's metrics as d grows: floats, or arrays over the trainer's times.

    test, train, memorization and objective for every data law with a spectrum; score and floor where the
    Bayes floor is known; test_parallel and test_orthogonal where the problem lists them. The trainer is a
    `Ridge`, or any with `training_times` and `ridge` >= 0; with a `step` > 0 it is descent, and without one
    whatever optimiser it is is compared with gradient flow. A point whose accuracy cannot be vouched for
    is nan, with a `ConvergenceWarning` that names it.

    Raises:
        InputError: a model that is not `Linear`, another trainer, data without `spectrum()` or of non-zero
            mean, or a value outside its range.
    """
    return predict_many([problem])[0]


def predict_many(problems: Sequence[Any]) -> list[dict[str, Any]]:
    """`predict` for every problem; ridge minimisers are solved together."""
    settings = _settings(problems)
    in_time = [takes_time(problem.trainer) for problem in problems]
    together = [k for k, timed in enumerate(in_time) if not timed]
    found = {k: _in_time(problems[k], settings[k]) for k, timed in enumerate(in_time) if timed}
    for start in range(0, len(together), _BATCH):
        batch = together[start : start + _BATCH]
        found |= zip(batch, _minimisers([settings[k] for k in batch]), strict=True)
    return [_row(problem, settings[k], found[k]) for k, problem in enumerate(problems)]


predict.many = predict_many  # type: ignore[attr-defined]


@dataclasses.dataclass(frozen=True)
class _Identity:
    """The activation of the random features whose limit a linear denoiser is."""

    name: str = "identity"
    kinks: tuple[float, ...] = ()

    def fn(self, u: Any) -> Any:
        return u


@dataclasses.dataclass(frozen=True)
class _AsFeatures:
    """A problem with random features in place of its denoiser, for the checks of `settings`."""

    data: Any
    psi_n: Any
    m: Any
    t: Any
    model: Any


@dataclasses.dataclass(frozen=True)
class _Features:
    psi_p: float = 1.0
    activation: _Identity = _Identity()


def _settings(problems: Sequence[Any]) -> list[TheoryInputs]:
    for problem in problems:
        model = getattr(problem, "model", None)
        if getattr(model, "theory", None) != "linear_denoiser":
            hint = "linear_denoiser describes denoisers W x_t + b only"
            raise InputError("model", type(model).__name__, "Linear", hint)
    proxies = [_AsFeatures(p.data, p.psi_n, p.m, p.t, _Features()) for p in problems]
    exact: Any = {"psi_p": math.inf, "mu1": 1.0, "v2": 0.0, "s2": 0.0}
    return [s._replace(**exact) for s in inputs_of_many(proxies, [_ridge(p) for p in problems])]


def _ridge(problem: Described) -> float:
    trainer = problem.trainer
    if takes_time(trainer):
        return check_number("trainer.ridge", trainer.ridge, least=0)
    if not is_minimum(trainer):
        hint = "linear_denoiser describes the exact ridge minimiser and training in time"
        raise InputError("trainer", type(trainer).__name__, "Ridge, or a trainer with training_times", hint)
    return check_number("trainer.ridge", trainer.ridge, above=0)


class _Errors(NamedTuple):
    """A number each, or an array over times; `parts` has the test error of every part of `parts_of`."""

    test: Any
    train: Any
    score: Any
    memorization: Any
    objective: Any
    parts: Sequence[Any]
    converged: bool


class _Directions(NamedTuple):
    """Errors of k minimisers, resolved by eigen-direction: (k, s)."""

    test: np.ndarray
    train: np.ndarray
    score: np.ndarray
    memorization: np.ndarray
    objective: np.ndarray


def _minimisers(settings: Sequence[TheoryInputs]) -> list[_Errors]:
    """All errors of exact minimisers."""
    stacked = stack(settings, len(settings), max(s.eigenvalues.size for s in settings))
    fields: Any = [np.asarray(field) for field in stacked]
    at: Any = TheoryInputs(*fields)
    rows = rows_of(at)
    solution = solve(rows, at.ridge)
    by_direction = _directions(at, rows, solution)
    totals = np.stack([(errors * at.weights).sum(axis=1) for errors in by_direction])
    sound = solution.converged & np.isfinite(totals).all(axis=0)
    parts = [
        [float(part @ test[: part.size]) for part in parts_of(setting).values()]
        for setting, test in zip(settings, by_direction.test, strict=True)
    ]
    named = [dict(zip(_Directions._fields, map(float, column), strict=True)) for column in totals.T]
    return [_Errors(**named[k], parts=parts[k], converged=bool(sound[k])) for k in range(len(settings))]


def _directions(at: Any, rows: Rows, solution: Solution) -> _Directions:
    """The forms of `linear_denoiser_response` at equal ridges, and the means; `score` is no difference."""
    point = side(rows, solution)
    h, ridge = at.h[:, None], solution.ridge[:, None]
    signal, inverse = at.a2[:, None] * at.eigenvalues, solution.inverse
    powers = np.stack([signal**q * inverse**2 for q in range(3)])
    found = response(rows, point, point, (powers * at.weights).sum(axis=2))

    def resolved(form: np.ndarray) -> np.ndarray:
        return np.sum(form[:, :, None] * powers, axis=0)

    left = (ridge + solution.k1[:, None] * signal) * inverse  # 1 - b
    lag = ((1.0 - at.i[:, None]) * (solution.k2 - solution.k1)[:, None] * signal - ridge) * inverse
    excess = h * lag**2 / (signal + h) + resolved(test_excess(found))
    return _Directions(
        test=signal / (signal + h) + excess,
        train=resolved(train(rows, found, point)),
        score=excess / h,
        memorization=left**2 + resolved(memorization_excess(rows, found, point, point)),
        objective=point.shrink[:, None] * left,
    )


def _in_time(problem: Described, setting: TheoryInputs) -> _Errors:
    """All errors along the path."""
    parts = np.stack([np.asarray(setting.weights), *parts_of(setting).values()])
    times = check_times(problem.trainer.training_times)
    curves = linear_flow(setting, times, problem.trainer.step, parts)
    totals = {name: getattr(curves, name)[0] for name in _Directions._fields}
    return _Errors(**totals, parts=list(curves.test[1:]), converged=curves.converged)


def _row(problem: Described, setting: TheoryInputs, found: _Errors) -> dict[str, Any]:
    """The metrics that the problem lists; nan where they are not to be trusted."""
    names = ("test", "train", "memorization", "objective")
    values = {name: getattr(found, name) for name in names}
    values |= zip(parts_of(setting), found.parts, strict=True)
    floor = bayes_floor(problem, setting)
    if floor is not None:
        values["floor"] = floor + 0.0 * found.test
        values["score"] = found.score + (gaussian_floor(setting) - floor) / float(setting.h)
    if found.converged and np.isnan(found.train).any():
        message = f"a train error at {_place(problem)} is lost in rounding: it is nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
    if not found.converged:
        message = f"no reliable limit at {_place(problem)}: it is nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
        values = {name: value * math.nan for name, value in values.items()}
    return {m.name: values[m.name] for m in problem.metrics if m.name in values}


def _place(problem: Described) -> str:
    return f"psi_n={problem.psi_n:.6g}, m={problem.m}, t={problem.t:.6g}, ridge={problem.trainer.ridge:.6g}"
