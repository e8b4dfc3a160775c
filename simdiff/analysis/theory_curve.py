"""One metric of a theory as a function of psi_n and ridge, everything else about a problem fixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError, check_choice
from simdiff.problem import Problem
from simdiff.theory import evaluate, evaluate_many, load

TheorySpec = str | Callable[[Problem], Mapping[str, Any]] | None


@dataclasses.dataclass(frozen=True)
class Curve:
    """`metric` of `theory` for `problem`, whose own psi_n and ridge do not matter."""

    problem: Any
    metric: str
    theory: Callable

    def at(self, psi_n: Any, ridge: Any) -> Float[np.ndarray, "..."]:
        """Values of the broadcast shape of psi_n and ridge, in one call of the theory; nan where unknown."""
        pairs = np.broadcast(psi_n, ridge)
        found = evaluate_many(self.theory, [self._moved(float(n), float(r)) for n, r in pairs])
        return np.array([values[self.metric] for values in found], dtype=np.float64).reshape(pairs.shape)

    def _moved(self, psi_n: float, ridge: float) -> Problem:
        trainer = dataclasses.replace(self.problem.trainer, ridge=ridge)
        return dataclasses.replace(self.problem, psi_n=psi_n, trainer=trainer)


def make_curve(problem: Any, metric: str, theory: TheorySpec) -> Curve:
    """The curve, once everything about it is checked.

    Raises:
        InputError: a problem without psi_n or `trainer.ridge` or with a time axis, no such theory, or a
            metric that the theory does not have.
    """
    if not isinstance(problem, Problem):
        raise InputError("problem", problem, "an instance of a simdiff.Problem")
    if not (dataclasses.is_dataclass(problem) and hasattr(problem, "psi_n")):
        hint = "psi_n is what is looked for"
        raise InputError("problem", type(problem).__name__, "a problem with psi_n", hint)
    trainer = getattr(problem, "trainer", None)
    if problem.times is not None or not (dataclasses.is_dataclass(trainer) and hasattr(trainer, "ridge")):
        hint = "a metric must be one number for every psi_n and ridge"
        raise InputError("trainer", type(trainer).__name__, "a trainer with a ridge and no time axis", hint)
    found = load(theory, problem)
    return Curve(problem, check_choice("metric", metric, evaluate(found, problem)), found)
