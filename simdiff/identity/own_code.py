"""What is simdiff's own code alone, as its files have it: work on it can be kept for later processes.

A traced program follows from the kernel, the code that it runs through and the versions of the libraries.
Where the user's code takes part, only tracing tells what it does; where simdiff's code was changed in memory,
its files no longer say what runs. Both are told apart here.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import platform
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simdiff.identity.fingerprint import LIBRARIES, known

_HOME = Path(__file__).parents[1]
_PACKAGES = {"site-packages", "dist-packages"}
_VERSIONS = ("jax", "jaxlib", "numpy", "scipy")


class _Foreign(Exception):
    """Something is not simdiff's own, or cannot be named."""


def own_text(value: Any) -> str | None:
    """A text that equal values share and others do not; None where anything in it is of the user's code.

    Args:
        value: dataclasses of simdiff's, plain values, types and functions of libraries, and tuples of these.
    """
    try:
        return _text(value)
    except _Foreign:
        return None


@functools.singledispatch
def _text(value: Any) -> str:
    kind = type(value)
    if callable(value) and known(value) and _found(value):
        return _name(value)
    if (
        not dataclasses.is_dataclass(value)
        or kind.__module__.partition(".")[0] != "simdiff"
        or not _found(kind)
    ):
        raise _Foreign
    fields = (_text(getattr(value, field.name)) for field in dataclasses.fields(value))
    return f"{_name(kind)}({','.join(fields)})"


@_text.register(int | float | str | bool | types.NoneType)
def _(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"


@_text.register(tuple)
def _(value: tuple) -> str:
    return f"{_name(type(value))}({','.join(map(_text, value))})"


def _name(value: Any) -> str:
    return f"{value.__module__}:{value.__qualname__}"


def _found(value: Any) -> bool:
    """Whether its name leads to it: not so for what a function has made."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return module is not None and getattr(module, getattr(value, "__qualname__", ""), None) is value


@functools.cache
def source_digits() -> str:
    """Digits of all of simdiff's files and of the versions of what it runs on."""
    digits = hashlib.sha256(platform.python_version().encode())
    for name in _VERSIONS:
        digits.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for path in sorted(_HOME.rglob("*.py")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digits.update(f"{path.relative_to(_HOME)} {content}\n".encode())
    return digits.hexdigest()


def altered() -> bool:
    """Whether a function of simdiff's, or a method, was replaced in memory by one from elsewhere.

    Numbers that were replaced are not noticed, nor are functions that were registered with a dispatcher.
    """
    return any(_elsewhere(function) for module in _own_modules() for function in _functions(module))


def _own_modules() -> list[types.ModuleType]:
    there = list(sys.modules.items())  # another thread may import meanwhile
    return [module for name, module in there if name.partition(".")[0] == "simdiff" and module is not None]


def _functions(module: types.ModuleType) -> Iterator[types.FunctionType]:
    for value in list(vars(module).values()):
        if isinstance(value, types.FunctionType):
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            members = list(vars(value).values())
            yield from (member for member in members if isinstance(member, types.FunctionType))


def _elsewhere(function: types.FunctionType) -> bool:
    place = function.__code__.co_filename
    generated = place.startswith("<") and function.__name__.startswith("__")  # methods of dataclasses
    return not generated and _of_a_user(place)


@functools.cache
def _of_a_user(file: str) -> bool:
    """Whether a file of code is neither simdiff's nor of something that was installed."""
    installed = not _PACKAGES.isdisjoint(Path(file).parts) or file.startswith(("<frozen", *LIBRARIES))
    return not installed and not Path(file).is_relative_to(_HOME)
