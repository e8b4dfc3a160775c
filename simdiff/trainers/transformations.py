"""Optimisers by name, by import path, or as objects of optax.

A name is one of the short list, or any optimiser that optax has, with arguments: "lion(b1=0.95)". An import
path leads to a `GradientTransformation`, or to a function that makes one, which is given the learning rate's
schedule if it takes an argument. An object's step size is its own.
"""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from simdiff.errors import InputError, check_choice
from simdiff.identity.fingerprint import closure_fingerprint
from simdiff.parts.import_paths import is_path, load_object

if TYPE_CHECKING:
    import optax  # elsewhere late: it takes half a second, and most trials need none of it

NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {}),
    "momentum": ("sgd", {"momentum": 0.9}),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "adam": ("adam", {}),
    "adamw": ("adamw", {}),
    "rmsprop": ("rmsprop", {}),
}
"""Short names: the function of optax and its arguments beside the learning rate."""

_ALLOWED = 'any of optax, as "lion(b1=0.95)", an import path file.py:name, or an optax.GradientTransformation'


def transformation(given: Any, rate: Any, field: str = "trainer.name") -> optax.GradientTransformation:
    """The optimiser that a name, a path or an object stands for; `rate` is the learning rate's schedule.

    Raises:
        InputError: there is no such optimiser, or what was found is none.
    """
    import optax

    if not isinstance(given, str):
        return _checked(field, given, given)
    if given in NAMED:
        function, settings = NAMED[given]
        return getattr(optax, function)(rate, **settings)
    if is_path(given):
        return _checked(field, given, _made(field, given, load_object(field, given), rate))
    name, arguments = _parsed(field, given)
    make = getattr(optax, name, None)
    if make is None or "learning_rate" not in _arguments(make):
        check_choice(field, name, NAMED, f"; {_ALLOWED}")
        raise InputError(field, given, ", ".join(NAMED), "it takes arguments by another name")
    try:
        return _checked(field, given, make(rate, **arguments))
    except TypeError as error:
        raise InputError(field, given, f"arguments of optax.{name}", str(error)) from error


def is_given(given: Any) -> bool:
    """Whether an optimiser is the user's own object or at a path: then its steps are not known."""
    return not isinstance(given, str) or is_path(given)


def described(given: Any) -> str:
    """A name for it."""
    if isinstance(given, str):
        return given
    return f"GradientTransformation {given.update.__module__}:{given.update.__qualname__}"


def code_of(given: Any, rate: Any) -> str:
    """Digits of an optimiser of the user's: of its functions and what they hold; "" for a name."""
    return closure_fingerprint(tuple(transformation(given, rate))) if is_given(given) else ""


def check_optimiser(trainer: Any, parameters: Any) -> None:
    """Raise `InputError` unless an optimiser can step in such parameters, keeping shapes and its memory's."""

    def step(now: Any) -> tuple[Any, Any]:
        memory = trainer.optimiser.init(now)
        change, later = trainer.optimiser.update(now, memory, now)
        return (now, memory), (change, later)

    try:
        before, after = jax.eval_shape(step, parameters)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        allowed = "an optimiser that needs the gradient, its memory and the parameters only"
        raise InputError("trainer.name", described(trainer.name), allowed, said) from error
    same = str(jax.tree.structure(before)) == str(jax.tree.structure(after))
    if not same or _shapes(before) != _shapes(after):
        allowed = "an optimiser whose changes and memory keep their shapes and types"
        raise InputError("trainer.name", described(trainer.name), allowed)


def _shapes(both: tuple[Any, Any]) -> list[Any]:
    """Shapes of the parameters or changes; of the memory types as well, which a loop carries."""
    tree, memory = both
    return [[x.shape for x in jax.tree.leaves(tree)], [(x.shape, x.dtype) for x in jax.tree.leaves(memory)]]


def _made(field: str, path: str, found: Any, rate: Any) -> Any:
    if _is_transformation(found) or not callable(found):
        return found
    try:
        return found(rate) if _arguments(found) else found()
    except Exception as error:
        allowed = "a function of the learning rate, or of nothing, that makes an optimiser"
        raise InputError(field, path, allowed, f"{type(error).__name__}: {error}") from error


def _checked(field: str, given: Any, found: Any) -> optax.GradientTransformation:
    if not _is_transformation(found):
        got = given if isinstance(given, str) else type(given).__name__
        raise InputError(field, got, f"{', '.join(NAMED)}; {_ALLOWED}", f"it is a {type(found).__name__}")
    return found


def _is_transformation(found: Any) -> bool:
    return isinstance(found, tuple) and callable(getattr(found, "init", None)) and hasattr(found, "update")


def _arguments(function: Any) -> list[str]:
    """Names of what can be given by position."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _parsed(field: str, text: str) -> tuple[str, dict[str, Any]]:
    """("lion", {"b1": 0.95}) of "lion(b1=0.95)"; arguments are plain values, by keyword."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            return call.func.id, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg}
        if isinstance(call, ast.Name):
            return call.id, {}
    except (SyntaxError, ValueError):
        pass
    check_choice(field, text, NAMED, f"; {_ALLOWED}")
    raise AssertionError


class Average(NamedTuple):
    """The memory of `averaged`."""

    average: Any


def averaged(decay: float) -> optax.GradientTransformation:
    """Changes nothing, and keeps the exponential moving average of the parameters, from the start on."""
    import optax

    def update(changes: Any, memory: Average, parameters: Any) -> tuple[Any, Average]:
        now = optax.apply_updates(parameters, changes)
        mix = lambda old, new: decay * old + (1 - decay) * new  # noqa: E731
        return changes, Average(jax.tree.map(mix, memory.average, now))

    return optax.GradientTransformation(Average, update)
