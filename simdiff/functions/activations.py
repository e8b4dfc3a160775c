"""Elementwise functions, built in or given by import path, with the places where they kink.

They serve as activations of features and as nonlinearities of manifolds. Quadratures (the theory's
constants, the exact noise average of a trial) split their panels at kinks, or they would lose most of
their digits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError, check_choice
from simdiff.identity.fingerprint import fingerprint, known, values_fingerprint
from simdiff.parts.import_paths import is_path, load_object
from simdiff.parts.jax_settings import pinned, with_pinned_settings


@dataclasses.dataclass(frozen=True)
class Activation:
    """An elementwise function rho, a name for it, and where it or its derivative jumps.

    `wide_constants`, if given, maps (c, h) to the constants (mu0, mu1, v2, s2) of
    `simdiff.theory.numerics.quadrature` for c >= 1, where rho varies too often for quadrature.
    """

    name: str
    fn: Callable
    kinks: tuple[float, ...] = ()
    wide_constants: Callable[[float, float], tuple[float, float, float, float]] | None = None

    def description(self) -> str:
        """The name: what the constructor takes."""
        return self.name

    def code_fingerprint(self) -> str:
        """Digits of a user's function, by its values; "" for one of a library."""
        return self._digits

    @functools.cached_property
    def _digits(self) -> str:
        if known(self.fn):
            return ""
        if getattr(self.fn, "version", None) is not None:
            return fingerprint(self.fn)
        with pinned():
            return values_fingerprint(_values(self.fn, _EXAMINED))

    def __deepcopy__(self, memo: dict[int, Any]) -> Activation:
        return self  # functions are not copied

    def __reduce__(self) -> tuple[Callable, tuple]:
        """By name where that leads to the function, as compiled functions of JAX cannot be pickled."""
        if _BUILT_IN.get(self.name) is self.fn:
            return activation, (self.name,)
        with contextlib.suppress(InputError):
            if is_path(self.name) and load_object("activation", self.name) is self.fn:
                return _by_path, (self.name, self.kinks)
        return Activation, (self.name, self.fn, self.kinks, self.wide_constants)


def _by_path(path: str, kinks: tuple[float, ...]) -> Activation:
    return Activation(path, load_object("activation", path), kinks)


_BUILT_IN: dict[str, Callable] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "erf": jax.scipy.special.erf,
    "sin": jnp.sin,
    "sign": jnp.sign,
    "softplus": jax.nn.softplus,
    "hard_tanh": lambda x: jnp.clip(x, -1.0, 1.0),
    "identity": lambda x: jnp.asarray(x),
}
_NEAR = np.linspace(-8, 8, 513)[1:].reshape(32, 16) + 1e-3 / math.pi
_FAR = np.outer([*-(10.0 ** np.arange(1, 7)), *10.0 ** np.arange(1, 7)], np.linspace(1, 3, 16))
_EXAMINED = np.concatenate([_NEAR, _FAR])
"""Where the values of a user's function tell it from another."""
_KINKS = {"relu": (0.0,), "sign": (0.0,), "hard_tanh": (-1.0, 1.0)}


def _sine_constants(c: float, h: float) -> tuple[float, float, float, float]:
    """E sin u sin u' = e^{-tau} sinh c and E sin^2 u = e^{-tau} sinh tau, tau = c + h, without overflow."""
    slope = math.exp(-0.5 * (c + h))
    shared = 0.5 * math.exp(-h) * -math.expm1(-2.0 * c)
    own = -0.5 * math.expm1(-h) * (1.0 + math.exp(-2.0 * c - h))
    return 0.0, slope, shared - slope**2 * c, own - slope**2 * h


_WIDE_CONSTANTS = {"sin": _sine_constants}


def names() -> tuple[str, ...]:
    """The built-in activations."""
    return tuple(_BUILT_IN)


@with_pinned_settings
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
        return Activation(name, _BUILT_IN[name], _KINKS.get(name, ()), _WIDE_CONSTANTS.get(name))
    _check_elementwise(field, name, fn)
    return Activation(name, fn, find_kinks(fn))


def find_kinks(fn: Callable, reach: float = 8.0) -> tuple[float, ...]:
    """Where fn or its derivative jumps on [-reach, reach], to 1e-7.

    Every cell of a grid is searched for its sharpest bend, down to a width of 1e-8; a bend is a kink
    when the slopes on its two sides differ in the limit of no width. Kinks closer together than 0.02
    count as one, as do those whose jump of slope is below 3e-4 of the steepest slope.
    """
    grid = np.linspace(-reach, reach, 1601) + 1e-3 / math.pi
    places = _sharpest(fn, grid, grid[1] - grid[0])
    values = _values(fn, grid)
    steepest = np.abs(np.diff(values)).max() / (grid[1] - grid[0])
    noise = np.quantile(_slope_jumps(fn, grid), 0.95)  # rounding, in functions that compute in float32
    jumps = _slope_jumps(fn, places)
    kept = jumps > max(3e-4 * steepest, 8 * noise, 1e-300)
    return _merge(places[kept], jumps[kept])


def _sharpest(fn: Callable, centres: np.ndarray, width: float) -> np.ndarray:
    """The place of the sharpest bend within `width` of each centre."""
    offsets = np.linspace(-1, 1, 9)
    every = np.arange(len(centres))
    while width > 1e-8:
        near = centres[:, None] + width * offsets
        bends = np.abs(_second_difference(fn, near, width / 4))
        centres = near[every, np.argmax(bends, axis=1)]
        width /= 3
    return centres


def _slope_jumps(fn: Callable, x: np.ndarray, width: float = 1e-4) -> np.ndarray:
    """|slope on the right minus slope on the left| of each x, extrapolated to no width."""
    near = _second_difference(fn, x, width) / width
    far = _second_difference(fn, x, 4 * width) / (4 * width)
    return np.abs(4 * near - far) / 3


def _second_difference(fn: Callable, x: np.ndarray, width: float) -> np.ndarray:
    change = _values(fn, x - width) - 2 * _values(fn, x) + _values(fn, x + width)
    return np.nan_to_num(change, nan=0.0, posinf=0.0, neginf=0.0)


def _merge(places: np.ndarray, jumps: np.ndarray) -> tuple[float, ...]:
    """The places, largest jumps first, that are not within 0.02 of one before."""
    found: list[float] = []
    for place in places[np.argsort(-jumps, kind="stable")]:
        if all(abs(place - other) > 0.02 for other in found):
            found.append(float(place))
    return tuple(sorted(round(place, 7) + 0.0 for place in found))


def _values(fn: Callable, x: np.ndarray) -> np.ndarray:
    return np.asarray(fn(jnp.asarray(x, jnp.float64)), dtype=float)


def _check_elementwise(field: str, name: str, fn: Any) -> None:
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
        raise InputError(field, name, allowed, "it is constant: it carries nothing of its input")
