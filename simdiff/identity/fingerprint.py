"""The parts of a problem that are the user's own code, and hexadecimal digits that change when it changes.

Descriptions name functions and classes; their code may be edited under the same name, and trials of the old
code must not be taken for those of the new. What counts is what runs: bytecode with its constants, default
arguments, values of closures, and the functions, classes and values that it refers to, followed through the
user's own modules. Comments, docstrings and layout don't count. Other versions of Python compile to other
bytecode, so they find other digits.

Code of simdiff and of installed libraries is known by name and version. A class or function with an
attribute `version` is known by that alone: the way to say that an edit changed no number, or that one did
which can't be seen here (a file that is read, say). A part of simdiff that holds a user's function has a
method `code_fingerprint()` of its own.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import json
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

Found = Any
"""What was read, in types of JSON."""

_KNOWN = {"simdiff", "jax", "jaxlib", "numpy", "scipy", "optax", "builtins"}
LIBRARIES = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
_PLAIN = (int, float, complex, str, bytes, type(None), tuple, frozenset, np.ndarray, np.generic)
_SPECIAL = ("__call__", "__post_init__", "__init__")


def fingerprints(problem: Any, entries: Iterable[str]) -> dict[str, str]:
    """{part: 8 hex digits} for each part that is the user's own code; {} for a problem that has none.

    Args:
        problem: parts are it, under the name of its class, and what its fields hold, by dotted path.
        entries: the methods that make the problem's numbers; others count where these use them.
    """
    home = _home(type(problem))
    found = {path: digits for name, value in _fields(problem) for path, digits in _parts(value, name, home)}
    if not known(type(problem)):
        read = functools.partial(_Reader(home).members, type(problem), frozenset(entries))
        found[type(problem).__name__] = _digits(problem, read)
    return found


def fingerprint(value: Any, home: str = "") -> str:
    """8 hex digits of a function or object of the user's; "" for one of a library.

    With `home`, a package, every other one that is installed counts as a library.
    """
    of = _home(value)
    if known(value) or (home and of != home and _installed(of)):
        return ""
    return _digits(value, lambda: _Reader(of).read(value))


def closure_fingerprint(value: Any) -> str:
    """8 hex digits of functions that a library may have made: of the values that they close over as well."""
    return _digits(value, lambda: _Reader(_home(value), closures=True).read(value))


def values_fingerprint(blocks: Any) -> str:
    """8 hex digits of a function's values, a row of them to 1e-9 of its own largest finite one."""
    values = np.atleast_2d(np.asarray(blocks, np.float64))
    finite = np.isfinite(values)
    scale = np.abs(np.where(finite, values, 0.0)).max(axis=1, keepdims=True)
    scale = np.maximum(scale, 1e-6 * np.median(scale))  # below is what is left of larger terms
    scale = np.where(scale > 0, scale, 1.0)
    rounded = np.where(finite, np.round(np.where(finite, values, 0.0) / scale, 9) + 0.0, values)
    # Two rows may differ by a factor alone, so their scales count, to as many digits as rounding leaves.
    return _digits(None, lambda: [[str(v) for v in rounded.ravel()], [f"{s:.8e}" for s in scale.ravel()]])


def _digits(value: Any, read: Callable[[], Found]) -> str:
    """Digits of what `read` finds; of the value's `version` where it has one."""
    version = getattr(value, "version", None)
    found = read() if version is None else f"version {version!r}"
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:8]


def _parts(value: Any, path: str, home: str) -> Iterator[tuple[str, str]]:
    """(path, digits) of what is the user's own in `value` and below."""
    inner: Iterable[tuple[str, Any]]
    own = getattr(value, "code_fingerprint", None)
    if own is not None:
        found, inner = own(), ()
    elif callable(value):
        found, inner = fingerprint(value, home), ()
    else:
        found, inner = fingerprint(type(value), home), _fields(value)
    if found:
        yield path, found
    for name, part in inner:
        yield from _parts(part, f"{path}.{name}", home)


def _fields(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), inner) for name, inner in value.items()]
    if isinstance(value, (tuple, list)):
        return [(str(i), inner) for i, inner in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return vars(value).items() if hasattr(value, "__dict__") and not known(type(value)) else ()


def _home(value: Any) -> str:
    """The package that a function or class comes from."""
    return str(getattr(_plain(value), "__module__", None) or "__main__").partition(".")[0]


def _plain(value: Any) -> Any:
    """The function within a partial, a method or a compiled function."""
    inner = getattr(value, "func", None) or getattr(value, "__func__", None)
    if inner is None and not isinstance(value, types.FunctionType):
        inner = getattr(value, "__wrapped__", None)
    if inner is not None:
        return _plain(inner)
    return value if hasattr(value, "__qualname__") else type(value)


def known(value: Any) -> bool:
    """Whether a function or object is of simdiff, of Python or of a library whose version trials tell."""
    home = _home(value)
    return home in _KNOWN or (home in sys.stdlib_module_names and _installed(home))


def _installed(home: str) -> bool:
    """Whether a package is not among the user's files: it lies in Python's folders, or in none."""
    module = sys.modules.get(home)
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
    inside = str(place).startswith(LIBRARIES) or (not place and home in sys.stdlib_module_names)
    return home in _KNOWN or (inside and home != "__main__")


@dataclasses.dataclass
class _Reader:
    """Reads code and values; what belongs to neither `home` nor a module of the user's, by name only."""

    home: str
    closures: bool = False
    seen: dict[int, Any] = dataclasses.field(default_factory=dict)

    def read(self, value: Any) -> Found:
        """The content of a value, the second time its name."""
        if isinstance(value, _PLAIN):  # of which equal ones may or may not be one object
            return _content(value, self)
        if id(value) in self.seen:
            return f"again {getattr(value, '__qualname__', type(value).__qualname__)}"
        self.seen[id(value)] = value  # kept, or another object might get its number
        return _content(value, self)

    def foreign(self, value: Any) -> bool:
        """Whether only the name of a function or class counts."""
        home = _home(value)
        return home != self.home and _installed(home)

    def members(self, kind: type, entries: Iterable[str] | None = None) -> Found:
        """What a class of the user's and its bases define: all, or `entries` and what these use."""
        classes = [base for base in kind.__mro__ if not self.foreign(base)]
        wanted = {n for base in classes for n in vars(base)} if entries is None else set(entries)
        found: dict[str, Found] = {}
        while fresh := sorted(wanted - found.keys()):
            for name in fresh:
                made = [vars(base)[name] for base in classes if name in vars(base) and _written(base, name)]
                found[name] = [self.read(member) for member in made]
                wanted |= {n for member in made for n in _names(member)} if entries is not None else set()
        return {name: content for name, content in found.items() if content}


def _written(kind: type, name: str) -> bool:
    """Whether a member of a class was written by somebody who meant it to run."""
    made = getattr(vars(kind)[name], "__code__", None)
    generated = made is not None and made.co_filename == "<string>" and dataclasses.is_dataclass(kind)
    return not generated and (not name.startswith(("__", "_abc_")) or name in _SPECIAL)


def _names(member: Any) -> set[str]:
    """Attributes that a method or property uses."""
    function = next((f for f in _functions(member) if isinstance(f, types.FunctionType)), None)
    return set() if function is None else _used(function.__code__, "ATTR", "METHOD")


def _functions(member: Any) -> Iterator[Any]:
    """The function in a property, a static or class method, a cached property, a compiled function."""
    for name in ("fget", "__func__", "func", "__wrapped__"):
        yield getattr(member, name, None)
    yield member


def _used(code: types.CodeType, *kinds: str) -> set[str]:
    """Names that code and the functions in it load, by the kind of instruction."""
    load = dis.get_instructions(code)
    found = {i.argval for i in load if i.opname.startswith("LOAD") and any(k in i.opname for k in kinds)}
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return {name for name in found if isinstance(name, str)}.union(*(_used(c, *kinds) for c in inner))


@functools.singledispatch
def _content(value: Any, reader: _Reader) -> Found:
    """Of an object: the function in it, its numbers, or its class and attributes."""
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    inside = next((f for f in _functions(value) if f is not None and f is not value), None)
    if inside is not None:
        return [name, reader.read(inside)]
    if hasattr(value, "__array__"):
        return _content(_array(value), reader)
    if reader.foreign(type(value)) and not dataclasses.is_dataclass(value):
        return [name, getattr(value, "__name__", "")]
    return [name, reader.read(type(value)), _content(dict(_attributes(value)), reader)]


def _array(value: Any) -> Any:
    """The numbers of another library's array; what it prints where these are hidden, as in random keys."""
    try:
        return np.asarray(value)
    except TypeError:
        return repr(value)


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    if dataclasses.is_dataclass(value):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return getattr(value, "__dict__", {}).items()


@_content.register(int | float | str | bool | bytes | complex | types.NoneType | types.EllipsisType)
def _(value: Any, reader: _Reader) -> Found:
    return repr(value)


@_content.register(tuple | list)
def _(value: Any, reader: _Reader) -> Found:
    return [reader.read(inner) for inner in value]


@_content.register(set | frozenset)
def _(value: Any, reader: _Reader) -> Found:
    return sorted(map(repr, value))


@_content.register(dict | types.MappingProxyType)
def _(value: Any, reader: _Reader) -> Found:
    return [[repr(name) if isinstance(name, str | int) else "", reader.read(v)] for name, v in value.items()]


@_content.register(np.ndarray | np.generic)
def _(value: Any, reader: _Reader) -> Found:
    array = np.ascontiguousarray(value)
    return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]


@_content.register
def _(value: functools.partial, reader: _Reader) -> Found:
    return [reader.read(part) for part in (value.func, value.args, value.keywords)]


@_content.register
def _(value: types.MethodType, reader: _Reader) -> Found:
    return [reader.read(value.__func__), reader.read(value.__self__)]


@_content.register
def _(value: types.ModuleType, reader: _Reader) -> Found:
    return value.__name__


@_content.register
def _(value: type, reader: _Reader) -> Found:
    name = f"{value.__module__}:{value.__qualname__}"
    return name if reader.foreign(value) else [name, reader.members(value)]


@_content.register
def _(value: types.CodeType, reader: _Reader) -> Found:
    shape = [value.co_argcount, value.co_kwonlyargcount, value.co_flags & 0x0C]
    return [value.co_code.hex(), shape, list(value.co_names), [_content(c, reader) for c in value.co_consts]]


@_content.register
def _(value: types.FunctionType, reader: _Reader) -> Found:
    if reader.foreign(value):
        name = f"{value.__module__}:{value.__qualname__}"
        return [name, _content(_closure(value), reader)] if reader.closures else name
    code = _content(_without_docstring(value), reader)
    given = [value.__defaults__ or (), value.__kwdefaults__ or {}, _closure(value)]
    return [code, *(_content(part, reader) for part in given), _globals(value, reader)]


def _closure(function: types.FunctionType) -> dict[str, Any]:
    """What a function takes from around it; not the class that super() means: not all of it need matter."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: _held(cell) for name, cell in cells if name != "__class__"}


def _held(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet: a function that is defined later
        return None


def _without_docstring(function: types.FunctionType) -> types.CodeType:
    code = function.__code__
    has = code.co_consts and isinstance(code.co_consts[0], str) and code.co_consts[0] == function.__doc__
    return code.replace(co_consts=(None, *code.co_consts[1:])) if has else code


def _globals(function: types.FunctionType, reader: _Reader) -> Found:
    """What the names stand for that a function finds in its module, and in other modules of the user's."""
    there, code = function.__globals__, function.__code__
    loaded = {name: there[name] for name in _used(code, "GLOBAL", "NAME") - _changed(code) if name in there}
    found = {name: reader.read(value) for name, value in sorted(loaded.items())}
    for name, module in loaded.items():
        if isinstance(module, types.ModuleType) and not _installed(module.__name__.partition(".")[0]):
            used = sorted(a for a in _used(code, "ATTR", "METHOD") if hasattr(module, a))
            found |= {f"{name}.{a}": reader.read(getattr(module, a)) for a in used}
    return found


def _changed(code: types.CodeType) -> set[str]:
    """Globals that the code itself assigns, a counter say."""
    return {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}
