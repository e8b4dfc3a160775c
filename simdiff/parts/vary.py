"""A part with some of its constructor arguments changed, by dotted path."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from simdiff.errors import InputError, check_choice

Part = TypeVar("Part")


def vary(part: Part, changes: Mapping[str, Any]) -> Part:
    """The same problem, data law, model, ... with other arguments: `vary(problem, {"model.psi_p": 3.0})`.

    A part is made anew from its constructor's arguments, which it has as attributes of the same names; one
    that keeps them in another form has a method `arguments()` that returns them.

    Raises:
        InputError: no such argument, or a value that it does not take.
    """
    own, nested = dict[str, Any](), dict[str, dict[str, Any]]()
    for path, value in changes.items():
        name, _, rest = path.partition(".")
        if rest:
            nested.setdefault(name, {})[rest] = value
        else:
            own[name] = value
    given = arguments(part)
    for name in (*own, *nested):
        check_choice(f"an argument of {type(part).__name__}", name, given)
    for name, inner in nested.items():
        if given[name] is None:
            raise InputError(f"{name}.{next(iter(inner))}", "a value", f"nothing: {name} is None")
        own[name] = vary(given[name], inner)
    return type(part)(**{**given, **own})


def arguments(part: Any) -> dict[str, Any]:
    """The constructor arguments that make a part."""
    if hasattr(part, "arguments"):
        return part.arguments()
    return {name: getattr(part, name) for name in inspect.signature(type(part)).parameters}
