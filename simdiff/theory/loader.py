"""Theories by name, by import path or as a callable, and the check of what they return.

A theory is a callable `problem -> {metric: value}`. It may leave metrics out: those are simulated but
not compared. A theory that can evaluate many problems in one call carries that as an attribute,
`theory.many(problems) -> [mapping, ...]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_choice
from simdiff.parts import registry
from simdiff.parts.import_paths import is_path, load_object
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.parts.program_cache import keep_programs

PACKAGE = "simdiff.theory"
"""Where theories register themselves, each in its own file."""

Theory = Callable[[Any], Mapping[str, Any]]


def names() -> tuple[str, ...]:
    """The registered theories: the built-in ones, and those of other distributions."""
    registry.import_all(PACKAGE)
    return tuple(registry.parts("theory"))


def load(theory: str | Theory | None, problem: Any) -> Theory:
    """The theory as a callable `problem -> mapping`.

    Args:
        theory: a built-in name; an import path "package.module:name", searched in the working
            directory too; a callable; or None for `problem.default_theory`.
        problem: asked for its default only.

    Raises:
        InputError: no such name, module or attribute, or the object found is not callable.
    """
    keep_programs()
    if theory is None:
        theory = getattr(problem, "default_theory", None)
        if theory is None:
            kind = type(problem).__name__
            raise InputError("theory", None, "a name, an import path or a callable", f"{kind} has no default")
    if callable(theory):
        return theory
    if not isinstance(theory, str):
        raise InputError("theory", theory, "a name, an import path or a callable")
    if not is_path(theory):
        return _registered(theory)
    found = load_object("theory", theory)
    if not callable(found):
        raise InputError("theory", theory, "a callable problem -> mapping", f"it is a {type(found).__name__}")
    return found


def _registered(name: Any) -> Theory:
    """The theory of this name; its file is the only one that is imported where it carries the name."""
    found = registry.registered_in(PACKAGE, "theory", name)
    if found is None:
        known = names()
        name = check_choice("theory", name, known, ", or an import path package.module:name")
        found = registry.parts("theory")[name]
    return found.factory  # type: ignore[return-value]


@with_pinned_settings
def evaluate(
    theory: str | Theory | None, problem: Any, metrics: Iterable[str] | None = None
) -> dict[str, float | np.ndarray]:
    """What the theory says about a problem, checked.

    Args:
        theory: whatever `load` takes.
        problem: handed to the theory; its `times` says whether values have a time axis.
        metrics: the names the theory may return; by default those of `problem.metrics`.

    Returns:
        {metric: float}, or {metric: float64 array (times,)} for a problem with times. nan marks a
        value the theory could not compute.

    Raises:
        InputError: not a mapping, a name that is not a metric, or a value of the wrong kind or shape.
    """
    found = load(theory, problem)
    return check_values(_asked(found, [problem], lambda asked: [found(asked[0])])[0], problem, metrics)


@with_pinned_settings
def evaluate_many(
    theory: str | Theory | None, problems: Iterable[Any], metrics: Iterable[str] | None = None
) -> list[dict[str, float | np.ndarray]]:
    """`evaluate` for every problem, in one call where the theory has `many`."""
    problems = list(problems)
    if not problems:
        return []
    found = load(theory, problems[0])
    many = getattr(found, "many", None)
    each = lambda asked: [found(problem) for problem in asked]  # noqa: E731
    values = _asked(found, problems, lambda asked: list(each(asked) if many is None else many(asked)))
    if len(values) != len(problems):
        raise InputError("theory.many", f"{len(values)} results", f"one for each of {len(problems)} problems")
    allowed = None if metrics is None else tuple(metrics)
    return [check_values(v, problem, allowed) for v, problem in zip(values, problems, strict=True)]


def _asked(theory: Theory, problems: Sequence[Any], ask: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
    """The theory's answers about what each problem says it is to be asked (`Problem.for_theory`).

    An answer without a time axis holds at all times of a problem that has one.
    """
    asked = [p.for_theory(theory) if hasattr(p, "for_theory") else p for p in problems]
    answers = ask(asked)
    for k, (problem, stand_in) in enumerate(zip(problems, asked, strict=True)):
        times = getattr(problem, "times", None)
        if times is not None and getattr(stand_in, "times", None) is None and isinstance(answers[k], Mapping):
            answers[k] = {name: np.full(len(times), value) for name, value in answers[k].items()}
    return answers


def check_values(
    values: Any, problem: Any, metrics: Iterable[str] | None = None
) -> dict[str, float | np.ndarray]:
    """The theory's return value as plain floats or arrays; see `evaluate`."""
    allowed = [m.name for m in problem.metrics] if metrics is None else list(metrics)
    if not isinstance(values, Mapping):
        raise InputError("theory", type(values).__name__, "a mapping from metric names to values")
    for name in values:
        check_choice("theory's metric", name, allowed)
    times = getattr(problem, "times", None)
    return {str(name): _check_value(str(name), value, times) for name, value in values.items()}


def _check_value(name: str, value: Any, times: tuple[float, ...] | None) -> float | np.ndarray:
    shape = () if times is None else (len(times),)
    kind = "a number" if times is None else f"an array of {len(times)} numbers, one a recorded time"
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"theory's {name}", value, kind) from error
    if array.dtype.kind not in "iuf" or array.shape != shape:
        raise InputError(f"theory's {name}", value, kind)
    return float(array) if times is None else array.astype(np.float64)
