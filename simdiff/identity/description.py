"""Problems and their parts as plain values: what is stored of them, and what their digests are made of."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from simdiff.errors import InputError


def describe(value: Any) -> Any:
    """Dataclasses as {"type": name, **fields}, tuples as lists, infinities as strings: JSON-ready.

    A field that is called `type` itself is described as "field type". Functions and classes are described by
    name, members of enumerations and paths likewise, arrays by their numbers, or by type, shape and a digest
    where they are long, and objects of other kinds by their attributes.
    """
    custom = getattr(value, "description", None)
    if callable(custom) and not isinstance(value, type):
        return custom()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _object(value, fields)
    return _described(value)


def _object(value: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    named = {"field type" if name == "type" else name: describe(field) for name, field in fields.items()}
    return {"type": type(value).__name__, **named}


@functools.singledispatch
def _described(value: Any) -> Any:
    """Of a function or class its name; of an array its numbers; of another object its attributes."""
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    if hasattr(value, "__array__"):
        return _described(np.asarray(value))
    if not hasattr(value, "__dict__"):
        allowed = "numbers, texts, lists, mappings, arrays, functions, dataclasses"
        raise InputError("problem", value, allowed, "give its class a method description()")
    return _object(value, {name: v for name, v in vars(value).items() if name[0] != "_"})


@_described.register(type(None) | bool | int | str)
def _(value: Any) -> Any:
    return value


@_described.register
def _(value: float) -> Any:
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


@_described.register(tuple | list)
def _(value: Any) -> Any:
    return [describe(v) for v in value]


@_described.register(set | frozenset)
def _(value: Any) -> Any:
    return sorted((describe(v) for v in value), key=repr)


@_described.register
def _(value: Mapping) -> Any:
    if all(isinstance(name, str) for name in value):
        return {name: describe(v) for name, v in value.items()}
    return [[describe(name), describe(v)] for name, v in value.items()]


@_described.register
def _(value: np.generic) -> Any:
    return describe(value.item())


@_described.register
def _(value: np.ndarray) -> Any:
    if value.size <= _SHORT:
        return describe(value.tolist())
    content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
    return f"{value.dtype} {value.shape} {content}"


@_described.register
def _(value: enum.Enum) -> Any:
    return f"{type(value).__name__}.{value.name}"


@_described.register(enum.IntEnum | enum.StrEnum)
def _(value: Any) -> Any:
    return value.value  # what JSON makes of it


@_described.register(pathlib.PurePath | complex | bytes)
def _(value: Any) -> str:
    return str(value)


_SHORT = 64
"""Numbers of an array that is described by all of them."""


def flatten(description: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"model": {"type": "X", "psi_p": 4}} -> {"model": "X", "model.psi_p": 4}."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat[path] = value.get("type", "")
            flat |= flatten({k: v for k, v in value.items() if k != "type"}, f"{path}.")
        else:
            flat[path] = value
    return flat
