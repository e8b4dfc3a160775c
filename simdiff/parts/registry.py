"""Parts by name: each registers itself where it is defined, and lists, help and configuration are read here.

A part is a class (a data law, a model, a trainer, a schedule, a problem) or a function (a theory). Those of
other distributions register in the same way, in modules that they name as entry points of the group
`simdiff.parts`; these are imported when somebody asks what there is.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from simdiff.errors import InputError

Factory = TypeVar("Factory", bound=Callable)

ENTRY_POINTS = "simdiff.parts"
ROOMS = tuple(f"simdiff.{room}" for room in ("data", "models", "sampling", "trainers", "problems"))
"""Rooms whose parts register when the room is imported, which happens when it is used or asked for here."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What was registered: `type` is how descriptions of problems name it."""

    name: str
    factory: Callable | None
    defaults: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The class's own name; "none" for the choice to have no such part."""
        return "none" if self.factory is None else self.factory.__name__

    @property
    def entry(self) -> dict[str, Any]:
        """The part as an entry of a configuration: its type, and every argument at its default."""
        arguments = {} if self.factory is None else inspect.signature(self.factory).parameters
        values = {name: self.defaults.get(name, p.default) for name, p in arguments.items()}
        given = {name: written(v) for name, v in values.items() if v is not inspect.Parameter.empty}
        return {"type": self.type, **given}


_registered: dict[str, dict[str, Part]] = {}


def register(kind: str, name: str, **defaults: Any) -> Callable[[Factory], Factory]:
    """Offer the decorated class or function as `kind=name`.

    Args:
        kind: "data", "model", "trainer", "schedule", "problem", "theory", "metric", "figure" or "launcher".
        name: as it is typed on the command line.
        **defaults: what the command line uses for constructor arguments that have no default.

    Raises:
        ValueError: another part of this kind has that name, or the same class name.
    """

    def decorate(factory: Factory) -> Factory:
        _add(kind, Part(name, factory, defaults))
        return factory

    return decorate


def offer_none(kind: str) -> None:
    """Let `kind=none` stand for having no such part."""
    _add(kind, Part("none", None, {}))


def _add(kind: str, part: Part) -> None:
    for other in _registered.setdefault(kind, {}).values():
        clash = other.name == part.name or (inspect.isclass(part.factory) and other.type == part.type)
        if clash and _origin(other.factory) != _origin(part.factory):  # the same: a module loaded again
            raise ValueError(f"{kind}={part.name}: {_origin(other.factory)} is registered under this name")
    _registered[kind][part.name] = part


def _origin(factory: Callable | None) -> str:
    return "" if factory is None else f"{factory.__module__}:{factory.__qualname__}"


def parts(kind: str) -> dict[str, Part]:
    """{name: part} of one kind, by name."""
    load_entry_points()
    return dict(sorted(_registered.get(kind, {}).items()))


def by_type(kind: str) -> dict[str, Part]:
    """{class name: part} of one kind."""
    return {part.type: part for part in parts(kind).values()}


@functools.cache
def load_entry_points() -> None:
    """Import the rooms that hold parts, and the modules in which other distributions register theirs.

    Raises:
        InputError: one of them cannot be imported.
    """
    for room in ROOMS:
        importlib.import_module(room)
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"entry point {entry.name}", entry.value, "a module", reason) from error


def registered_in(package: str, kind: str, name: Any) -> Part | None:
    """A part of a package whose modules are imported when they are needed only.

    The module that carries the name is imported first; where that does not register it, all of them are.
    """
    modules = list(modules_of(package))
    for module in sorted(modules, key=lambda m: m.rpartition(".")[2] != name):
        if name in _registered.get(kind, {}):
            break
        importlib.import_module(module)
    return _registered.get(kind, {}).get(name)


def import_all(package: str) -> None:
    """Import every module of a package, so that all its parts are registered."""
    for module in modules_of(package):
        importlib.import_module(module)


def modules_of(package: str) -> list[str]:
    """Names of all modules below a package."""
    path = importlib.import_module(package).__path__
    return [found.name for found in pkgutil.walk_packages(path, f"{package}.") if not found.ispkg]


def written(value: Any) -> Any:
    """A default as a configuration has it: infinities by name, sequences as lists."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return [written(v) for v in value] if isinstance(value, (tuple, list)) else value
