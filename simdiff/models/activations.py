"""Activation functions, built in or given by import path, with the places where they kink.

Kinks matter twice: quadratures (the theory's constants, the exact noise average of a trial) split
their panels there, or they would lose most of their digits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError, check_choice
from simdiff.imports import is_path, load_object


@dataclasses.dataclass(frozen=True)
class Activation:
    """An elementwise function rho, a name for it, and where it or its derivative jumps."""

    name: str
    fn: Callable
    kinks: tuple[float, ...] = ()

    def description(self) -> str:
        """The name: what the constructor takes."""
        return self.name


_BUILT_IN: dict[str, Callable] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "erf": jax.scipy.special.erf,
    "sin": jnp.sin,
    "softplus": jax.nn.softplus,
    "hard_tanh": lambda x: jnp.clip(x, -1.0, 1.0),
    "identity": lambda x: jnp.asarray(x),
}
_KINKS = {"relu": (0.0,), "hard_tanh": (-1.0, 1.0)}


def names() -> tuple[str, ...]:
    """The built-in activations."""
    return tuple(_BUILT_IN)


def activation(spec: str | Callable | Activation, field: str = "model.activation") -> Activation:
    """The activation of a name, of an import path "package.module:name", or of a function.

    Raises:
        InputError: an unknown name, or a function that is not elementwise and finite on reals.
    """
    if isinstance(spec, Activation):
        return spec
    if is_path(spec):
        fn, name = load_object(field, str(spec)), str(spec)
    elif callable(spec):
        fn, name = spec, f"{getattr(spec, '__module__', '')}:{getattr(spec, '__qualname__', repr(spec))}"
    else:
        name = str(spec).lower().replace("-", "_")
        check_choice(field, name, names(), ", or an import path package.module:name of a function")
        return Activation(name, _BUILT_IN[name], _KINKS.get(name, ()))
    _check_elementwise(field, name, fn)
    return Activation(name, fn, find_kinks(fn))


def find_kinks(fn: Callable, reach: float = 8.0) -> tuple[float, ...]:
    """Where fn or its derivative jumps on [-reach, reach], found by refining second differences.

    For a smooth function the second difference over a step shrinks as the step squared; at a kink it
    shrinks as the step, at a jump not at all. Features closer together than 0.02 count as one.
    """
    steps = 1601
    grid = np.linspace(-reach, reach, steps) + 1e-7
    step = grid[1] - grid[0]

    def bend(x: np.ndarray, width: float) -> np.ndarray:
        return np.abs(_values(fn, x - width) - 2 * _values(fn, x) + _values(fn, x + width))

    coarse = bend(grid, step)
    scale = np.abs(np.diff(_values(fn, grid))).max() / step + 1e-12
    suspects = grid[coarse > 1e-4 * scale * step]
    found: list[float] = []
    for x in suspects:
        place = _bisect_bend(bend, x, step)
        persistent = bend(np.array([place]), step / 4096)[0] > 0.02 * scale * step / 4096
        if persistent and all(abs(place - old) > 0.02 for old in found):
            found.append(round(place, 6) + 0.0)
    return tuple(sorted(found))


def _bisect_bend(bend: Callable, centre: float, width: float) -> float:
    """Follow the sharpest bend near `centre` down to a width of 1e-7."""
    while width > 1e-7:
        near = centre + width * np.linspace(-1, 1, 9)
        centre, width = float(near[np.argmax(bend(near, width / 4))]), width / 3
    return centre


def _values(fn: Callable, x: np.ndarray) -> np.ndarray:
    return np.asarray(fn(jnp.asarray(x, jnp.float64)), dtype=float)


def _check_elementwise(field: str, name: str, fn: Callable) -> None:
    allowed = "a function of one array that acts on each element, in JAX operations"
    x = np.linspace(-3.0, 3.0, 12).reshape(3, 4)
    try:
        values = np.asarray(jax.jit(fn)(x))
        single = np.asarray(fn(jnp.asarray(x[1, 2])))
    except Exception as error:
        raise InputError(field, name, allowed, f"calling it failed: {type(error).__name__}") from error
    if values.shape != x.shape or not np.allclose(values[1, 2], single):
        raise InputError(field, name, allowed, "its output at one element depends on the others")
    if not np.isfinite(values).all():
        raise InputError(field, name, allowed, "it is not finite on [-3, 3]")
    if np.ptp(values) == 0:
        raise InputError(field, name, allowed, "it is constant: such features carry nothing")
