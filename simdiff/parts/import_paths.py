"""Objects named by an import path, loaded only where the user wrote that path."""

from __future__ import annotations

import contextlib
import importlib
import io
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
        module = _imported(module_name)
    except ModuleNotFoundError as error:
        hint = f"no module named {error.name!r} on the Python path or in the working directory"
        raise InputError(field, path, allowed, hint) from error
    except SystemExit as error:
        hint = f"importing {module_name} ends the program: put what it runs under if __name__ == '__main__'"
        raise InputError(field, path, allowed, hint) from error
    except Exception as error:
        hint = f"importing {module_name} failed: {type(error).__name__}: {error}"
        raise InputError(field, path, allowed, hint) from error
    if not hasattr(module, name):
        raise InputError(field, path, allowed, f"module {module_name} has no attribute {name!r}")
    return getattr(module, name)


def _imported(name: str) -> Any:
    """The module; what it says while it is imported is shown only if that succeeds."""
    said = io.StringIO()
    with _working_directory_importable(), contextlib.redirect_stderr(said):
        module = importlib.import_module(name)
    if said.getvalue():
        print(said.getvalue(), end="", file=sys.stderr)
    return module


@contextlib.contextmanager
def _working_directory_importable() -> Iterator[None]:
    """Behind the standard library, which a file random.py must not hide; before other packages.

    A module that goes to another directory while it is imported does not take the program along.
    """
    here, before = os.getcwd(), list(sys.path)
    outside = (k for k, folder in enumerate(before) if "site-packages" in folder)
    sys.path.insert(next(outside, len(before)), here)
    try:
        yield
    finally:
        os.chdir(here)
        sys.path[:] = before
