"""From a configuration of plain values to problems: only types listed here are ever built.

A problem or a function named by an import path is loaded where the user wrote that path, nowhere else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from simdiff import data, models, trainers
from simdiff.errors import InputError, check_choice
from simdiff.imports import is_path, load_object
from simdiff.problem import Problem
from simdiff.problems import DenoisingScoreMatching

PROBLEMS: dict[str, type[Problem]] = {"denoising": DenoisingScoreMatching}

PARTS: dict[str, dict[str, Callable]] = {
    "data": {"Gaussian": data.Gaussian, "PowerLaw": data.PowerLaw},
    "model": {"RandomFeatures": models.RandomFeatures},
    "trainer": {"Ridge": trainers.Ridge, "Optax": trainers.Optax},
}


def problem_class(spec: Any) -> type[Problem]:
    """The class of a built-in name or of an import path "package.module:Class"."""
    if not is_path(spec):
        return PROBLEMS[check_choice("problem", spec, PROBLEMS, ", or an import path package.module:Class")]
    found = load_object("problem", spec)
    if not (inspect.isclass(found) and issubclass(found, Problem)):
        raise InputError("problem", spec, "a subclass of simdiff.Problem", "the name is something else")
    return found


def build_problem(config: Mapping[str, Any]) -> Problem:
    """The problem of a configuration: constructor arguments are the entries of the same name.

    Raises:
        InputError: a type or a value that is not allowed, or an argument that is missing.
    """
    kind = problem_class(config.get("problem", "denoising"))
    arguments = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in config:
            arguments[name] = _part(name, config[name])
        elif parameter.default is parameter.empty:
            raise InputError(name, "nothing", "a value", f"{kind.__name__} needs it: add {name}=...")
    return kind(**arguments)


def _part(name: str, value: Any) -> Any:
    """A nested object from {type: ..., **arguments}; anything else as a plain value."""
    if not (isinstance(value, Mapping) and name in PARTS):
        return _plain(value)
    arguments = {key: _plain(entry) for key, entry in value.items() if key != "type"}
    factory = PARTS[name][check_choice(f"{name}.type", value.get("type"), PARTS[name])]
    known = inspect.signature(factory).parameters
    for key in arguments:
        check_choice(name, key, known)
    return factory(**arguments)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("inf", "infinity", "math.inf"):
        return math.inf
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def constructor_names(overrides: list[str]) -> set[str]:
    """Argument names of a problem given by import path in `overrides`: they need no `+` to be set."""
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key == "problem" and is_path(value):
            return set(inspect.signature(problem_class(value)).parameters)
    return set()
