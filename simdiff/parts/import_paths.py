"""Objects named by an import path, loaded only where the user wrote that path."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from simdiff.errors import InputError


def is_path(text: object) -> bool:
    """Whether `text` looks like "package.module:name"."""
    return isinstance(text, str) and text.count(":") == 1 and not text.startswith(":")


def load_object(field: str, path: str) -> Any:
    """The object at "package.module:name"; the working directory is searched first.

    Raises:
        InputError: the module or the attribute does not exist, or the module fails on import.
    """
    module_name, _, name = path.partition(":")
    allowed = "an import path package.module:name"
    try:
        with _working_directory_importable():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        hint = f"no module named {error.name!r} on the Python path or in the working directory"
        raise InputError(field, path, allowed, hint) from error
    except Exception as error:
        hint = f"importing {module_name} failed: {type(error).__name__}: {error}"
        raise InputError(field, path, allowed, hint) from error
    if not hasattr(module, name):
        raise InputError(field, path, allowed, f"module {module_name} has no attribute {name!r}")
    return getattr(module, name)


@contextlib.contextmanager
def _working_directory_importable() -> Iterator[None]:
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())
