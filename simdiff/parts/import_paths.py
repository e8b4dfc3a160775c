"""Objects named by an import path, loaded only where the user wrote that path."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from simdiff.errors import InputError


def is_path(text: object) -> bool:
    """Whether `text` looks like "package.module:name"."""
    return isinstance(text, str) and text.count(":") == 1 and not text.startswith(":")


def load_object(field: str, path: str) -> Any:
    """The object at "package.module:name" or "folder/file.py:name"; the working directory is searched first.

    Raises:
        InputError: the module or the attribute does not exist, or the module fails on import.
    """
    module_name, _, name = path.partition(":")
    allowed = "an import path package.module:name or file.py:name"
    try:
        module = _from_file(Path(module_name)) if module_name.endswith(".py") else _imported(module_name)
    except FileNotFoundError as error:
        raise InputError(field, path, allowed, f"there is no file {module_name}") from error
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


def _from_file(path: Path) -> ModuleType:
    """The module that a file is; loaded once, and known by the file's name where no other module has it."""
    place = path.expanduser().resolve(strict=True)
    there = sys.modules.get(place.stem)
    if there is None and importlib.util.find_spec(place.stem) is None:
        name = place.stem
    elif there is not None and getattr(there, "__file__", None) == str(place):
        return there
    else:
        name = f"{place.stem}_{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"
    return sys.modules[name] if name in sys.modules else _executed(name, place)


def _executed(name: str, place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with _working_directory_importable():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
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
