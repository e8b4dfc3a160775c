"""From a configuration of plain values to problems: only registered types are ever built.

A problem or a function named by an import path is loaded where the user wrote that path, nowhere else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simdiff.errors import InputError, check_choice
from simdiff.parts import registry
from simdiff.parts.import_paths import is_path, load_object
from simdiff.problem import Problem

KINDS = ("data", "model", "trainer", "schedule")
"""Arguments of problems that are parts: entries with a type and its arguments."""

RUN_SETTINGS = (
    *("problem", "theory", "sizes", "extrapolation", "precision", "absolute", "alpha", "seed"),
    *("max_trials", "dtype", "devices"),
    *("launcher", "checkpoint", "compilation_cache", "name", "known", "card", "out", "sweep", "figure"),
    "experiment",
)
"""Entries that all points of a run share; every other entry is an argument of the problem."""


def problem_class(spec: Any) -> type[Problem]:
    """The class of a built-in name or of an import path "package.module:Class"."""
    if not is_path(spec):
        known = registry.parts("problem")
        return known[check_choice("problem", spec, known, ", or an import path package.module:Class")].factory  # type: ignore[return-value]
    found = load_object("problem", spec)
    if not (inspect.isclass(found) and issubclass(found, Problem)):
        raise InputError("problem", spec, "a subclass of simdiff.Problem", "the name is something else")
    taken = sorted(set(_parameters(found)) & set(RUN_SETTINGS))
    if taken:
        hint = f"rename {', '.join(taken)}: a setting of the run has that name"
        raise InputError("problem", spec, "a class whose constructor arguments have names of their own", hint)
    return found


def build_problem(config: Mapping[str, Any]) -> Problem:
    """The problem of a configuration: constructor arguments are the entries of the same name.

    An argument that is called like a setting of the run, as alpha is, is the entry problem_alpha.

    Raises:
        InputError: a type or a value that is not allowed, or an argument that is missing.
    """
    kind = problem_class(config.get("problem", "denoising"))
    arguments = {}
    for name, parameter in _parameters(kind).items():
        if (entry := _entry(name)) in config:
            arguments[name] = _part(name, config[entry])
        elif parameter.default is parameter.empty:
            raise InputError(name, "nothing", "a value", f"{kind.__name__} needs it: add {name}=...")
    return _construct(kind, kind.__name__, arguments)


def arguments_of(spec: Any) -> dict[str, bool]:
    """{entry of an argument: whether it has a default}; {} for the problem config.yaml is written for."""
    if spec in (None, "denoising"):
        return {}
    parameters = _parameters(problem_class(spec))
    return {_entry(name): p.default is not p.empty for name, p in parameters.items()}


def _entry(name: str) -> str:
    """The entry of a configuration for a constructor argument: other than settings of the run."""
    return f"problem_{name}" if name in RUN_SETTINGS else name


def _parameters(kind: type[Problem]) -> dict[str, inspect.Parameter]:
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(kind).parameters.items()
    return {name: p for name, p in found if p.kind not in collecting}


def _part(name: str, value: Any) -> Any:
    """A part or a problem from {type: ..., **arguments}, nothing from {type: none}; else a plain value."""
    problems = registry.by_type("problem")
    if isinstance(value, Mapping) and value.get("type") in problems:
        return build_problem({**value, "problem": problems[value["type"]].name})
    if not (isinstance(value, Mapping) and name in KINDS):
        return _plain(value)
    known = registry.by_type(name)
    factory = known[check_choice(f"{name}.type", value.get("type"), known)].factory
    if factory is None:
        return None
    arguments = {key: _plain(entry) for key, entry in value.items() if key != "type"}
    taken = inspect.signature(factory).parameters
    for key in arguments:
        check_choice(name, key, taken)
    for key, parameter in taken.items():
        if key not in arguments and parameter.default is parameter.empty:
            raise InputError(f"{name}.{key}", "nothing", "a value")
    return _construct(factory, name, arguments)


def _construct(factory: Callable, name: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return factory(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(name, dict(arguments), "arguments that it accepts", str(error)) from error


def _plain(value: Any) -> Any:
    """Infinities from their names; lists as tuples, so that a frozen problem can be hashed."""
    if isinstance(value, str) and value.strip().lower() in ("inf", "infinity", "math.inf"):
        return math.inf
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_plain(entry) for entry in value)
    return value
