"""Traced programs kept on disk beside the compiled ones, so that a later process need not trace them.

JAX finds a compiled program by its code, and to have the code it traces and lowers a function: most of what
is left to wait for when programs are kept. Where what is traced is simdiff's own code alone
(`identity.own_code`), its code is kept as `jax.export` writes it, under a name made of all that it follows
from. A user's code is traced in every process, for only that tells what it does.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
from jax import export

from simdiff.identity.own_code import altered, own_text, source_digits
from simdiff.parts.jax_settings import settings_text, with_pinned_settings
from simdiff.parts.program_cache import TRACED, traced_folder

_CHECKSUM = 32
"""Bytes at the head of a file: SHA-256 of the rest, so that damage never passes for a program."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def lowered(source: Any, function: Callable, arguments: tuple) -> jax.stages.Lowered:
    """`jax.jit(function).lower(*arguments)`, from disk where it is there, and kept there where it may be.

    Args:
        source: what `function` follows from, for `own_text`: a kernel, plain values.
        function: pure JAX.
        arguments: arrays, or their shapes.
    """
    folder = traced_folder()
    text = None if folder is None or altered() else own_text(source)
    if folder is None or text is None:
        return jax.jit(function).lower(*arguments)
    path = folder / f"{_digits(text, arguments)}{TRACED}"
    with contextlib.suppress(Exception):  # absent, damaged, or of a JAX that reads it otherwise
        return _called(export.deserialize(bytearray(_read(path))), arguments)
    try:
        found = _exported(function, arguments)
        _write(path, bytes(found.serialize()))
    except Exception:  # not everything can be exported; a real failure comes again below
        return jax.jit(function).lower(*arguments)
    return _called(found, arguments)


def kept_program(*returned: type) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator: `jax.jit`, each shape's program from disk where it is there, and kept where it may be.

    The function takes arrays, and trees of arrays, by position. It is simdiff's own, found by its name, and
    what it does follows from nothing but its code and the shapes.

    Args:
        returned: the kinds of named tuples in what the function returns.
    """

    def decorator(function: Callable[_P, _R]) -> Callable[_P, _R]:
        programs: dict[tuple, Callable] = {}
        name = f"{function.__module__}:{function.__qualname__}"

        @with_pinned_settings  # a program is kept under the name of these, whoever calls it first
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            leaves, structure = jax.tree.flatten(arguments)
            signature = structure, *((leaf.shape, leaf.dtype) for leaf in leaves)
            if signature not in programs:
                for kind in returned:
                    _make_writable(kind)
                programs[signature] = lowered(name, function, arguments).compile()
            return programs[signature](*arguments)

        return call  # type: ignore[return-value]

    return decorator


@functools.cache
def _make_writable(kind: type) -> None:
    """Tell `jax.export` how a kind of named tuple is called in a file."""
    export.register_namedtuple_serialization(kind, serialized_name=f"{kind.__module__}.{kind.__qualname__}")


def _exported(function: Callable, arguments: tuple) -> export.Exported:
    """Of leaves, since not every pytree can be written."""
    leaves, structure = jax.tree.flatten(arguments)
    return export.export(jax.jit(lambda *given: function(*jax.tree.unflatten(structure, given))))(*leaves)


def _called(program: export.Exported, arguments: tuple) -> jax.stages.Lowered:
    """The same code, whether it was just traced or read: it leads to the same compiled program."""
    return jax.jit(lambda *given: program.call(*jax.tree.leaves(given))).lower(*arguments)


def _digits(text: str, arguments: tuple) -> str:
    leaves, structure = jax.tree.flatten(arguments)
    shapes = [f"{leaf.dtype}{leaf.shape}{getattr(leaf, 'sharding', None)}" for leaf in leaves]
    parts = text, str(structure), *shapes, jax.default_backend(), source_digits(), settings_text()
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content[_CHECKSUM:]).digest() != content[:_CHECKSUM]:
        raise ValueError(f"{path} is damaged")
    return content[_CHECKSUM:]


def _write(path: Path, content: bytes) -> None:
    """In one step, as other processes may read it; a folder that takes no file keeps nothing."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
