"""Linear models of a score or a denoiser: W phi(x, t) with fixed features phi of place and time.

Gaussian and Fourier features are products of one-dimensional features of every coordinate and of time. At
one time such a model is a short sum over the coordinates' features, which is what sampling evaluates.

notation:
    F = features in all, D = dimension of x, O = outputs
    span = (t_min, t_max), the times between which the features of time lie

Source: arXiv 2504.12532, section 5 and figures 2 and 3, whose features are the defaults.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.identity.fingerprint import fingerprint
from simdiff.models.ensemble.score_model import TARGETS, Coordinates, Evaluate, ModelCost, ScoreModel, Span
from simdiff.parts.import_paths import is_path, load_object
from simdiff.parts.registry import register


class FeatureLibrary(ScoreModel):
    """A set of features, pure JAX when called; a trained model is its weights W, and W phi its output."""

    @abc.abstractmethod
    def count(self, dimension: int) -> int:
        """F for data in R^dimension."""

    @abc.abstractmethod
    def features(self, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span) -> Float[Array, "n F"]:
        """phi at every pair (x, t)."""

    def check(self, dimension: int) -> None:
        """Whether the features can be counted."""
        self.count(dimension)

    def summary(self, dimension: int) -> str:
        """F."""
        return f"the models have F = {self.count(dimension)}"

    def cost(self, rows: int, dimension: int, steps: int) -> ModelCost:
        """Features of all draws, and the smaller normal equations."""
        F = self.count(dimension)
        side = min(rows, F)
        return ModelCost(8 * (3 * rows * F + 3 * side**2), 2.0 * rows * F * side + side**3, 8.0 * F)

    def fit(self, key: Array, pairs: Any, training: Any, span: Span) -> Float[Array, "O F"]:
        """The weights; nothing random."""
        return training.features(self.features(pairs.x, pairs.t, span), pairs.y, pairs.weights)

    def values(
        self, fitted: Float[Array, "O F"], x: Float[Array, "n D"], t: Float[Array, " n"], span: Span
    ) -> Float[Array, "n O"]:
        """W phi."""
        return self.features(x, t, span) @ fitted.T


class ProductFeatures(FeatureLibrary):
    """Features that are products of one feature of every coordinate and one of time, in this order."""

    x_count: int
    t_count: int

    @abc.abstractmethod
    def along(self, x: Array) -> list[Array]:
        """The x_count features of a coordinate, each of the shape of x."""

    @abc.abstractmethod
    def in_time(self, t: Array, span: Span) -> list[Array]:
        """The t_count features of time, each of the shape of t."""

    def count(self, dimension: int) -> int:
        """x_count^dimension t_count."""
        return self.x_count**dimension * self.t_count

    def features(self, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span) -> Float[Array, "n F"]:
        """Outer products, the features of time running fastest."""
        return _products(self.factors(x, t, span))

    def factors(
        self, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span
    ) -> tuple[Float[Array, "n X"], Float[Array, "n T"]]:
        """The features of place, x_count^D of them, and of time, whose products the features are."""
        axes = [jnp.stack(self.along(x[:, i]), axis=1) for i in range(x.shape[1])]
        return _products(axes), jnp.stack(self.in_time(t.astype(x.dtype), span), axis=1)

    def at(self, weights: Float[Array, "O F"], t: Float[Array, ""], span: Span) -> Evaluate:
        """Sums over the features of time once, and over those of the coordinates at every x."""
        moments = jnp.stack(self.in_time(t.astype(weights.dtype), span))
        rest = weights.reshape(weights.shape[0], -1, self.t_count) @ moments

        def evaluate(x: Coordinates) -> Coordinates:
            axes = [self.along(coordinate) for coordinate in x]
            if len(axes) > 1:  # without the barrier compilers evaluate a feature again for every use
                axes = jax.lax.optimization_barrier(axes)
            shape = (self.x_count,) * len(axes)
            return tuple(contract(row.reshape(shape), axes) for row in rest)

        return evaluate


def _products(tables: Sequence[Array]) -> Array:
    """Products of one column of every table (n, .), those of the last one running fastest."""
    first, *rest = tables
    for table in rest:
        first = (first[:, :, None] * table[:, None, :]).reshape(len(table), -1)
    return first


def contract(coefficients: Array, axes: Sequence[Sequence[Array]]) -> Array:
    """sum_ij... c_ij... f_i g_j ..., written out: compilers then keep the features in registers.

    Measured in float32 for 10 x 10 features and two outputs: three times less time than matrix products.
    """
    first, *rest = axes
    terms = (contract(c, rest) if rest else c for c in coefficients)
    total = jnp.zeros((), coefficients.dtype)
    for value, term in zip(first, terms, strict=True):
        total = total + term * value
    return total


@register("model", "gaussian_features")
@dataclasses.dataclass(frozen=True)
class GaussianFeatures(ProductFeatures):
    """Normal densities on regular grids: `x_count` along every coordinate, `t_count` in time.

    Args:
        x_count, t_count: grid points, >= 2, from -window to window and from t_min to t_max, ends included.
        window: half the width of the region they cover.
        width: standard deviations, in grid spacings.
        target: "denoiser" or "score".
    """

    x_count: int = 16
    t_count: int = 16
    window: float = 1.5
    width: float = 0.5
    target: str = "denoiser"

    def __post_init__(self) -> None:
        _check(self, least=2)
        object.__setattr__(self, "width", check_number("model.width", self.width, above=0))

    @property
    def grain(self) -> tuple[float, float]:
        """Standard deviations of a product of two neighbours."""
        scale = self.width / math.sqrt(2.0)
        return scale * 2 * self.window / (self.x_count - 1), scale / (self.t_count - 1)

    def along(self, x: Array) -> list[Array]:
        """Densities centred on the grid."""
        return _bumps(x, -self.window, self.window, self.x_count, self.width)

    def in_time(self, t: Array, span: Span) -> list[Array]:
        """The same between t_min and t_max."""
        low, high = jnp.asarray(span[0], t.dtype), jnp.asarray(span[1], t.dtype)
        return _bumps(t, low, high, self.t_count, self.width)


def _bumps(x: Array, low: Any, high: Any, count: int, width: float) -> list[Array]:
    spacing = (high - low) / (count - 1)
    scale = jnp.asarray(1.0 / (spacing * width), x.dtype)
    height = scale / math.sqrt(2 * math.pi)
    centres = [jnp.asarray(low + spacing * j, x.dtype) for j in range(count)]
    return [height * jnp.exp(-0.5 * ((x - centre) * scale) ** 2) for centre in centres]


@register("model", "fourier_features")
@dataclasses.dataclass(frozen=True)
class FourierFeatures(ProductFeatures):
    """1, cosines and sines of the lowest frequencies; the period is 2 window in x, t_max - t_min in t.

    Args:
        x_count, t_count: features of every coordinate and of time: of an even number one more cosine.
        window: half the period in x.
        target: "denoiser" or "score".
    """

    x_count: int = 16
    t_count: int = 16
    window: float = 1.5
    target: str = "denoiser"

    def __post_init__(self) -> None:
        _check(self, least=1)

    @property
    def grain(self) -> tuple[float, float]:
        """Inverse wave numbers of a product of two of the highest."""
        return self.window / (math.pi * max(2, self.x_count)), 0.5 / (math.pi * max(2, self.t_count))

    def along(self, x: Array) -> list[Array]:
        """Waves of period 2 window."""
        return _waves(x * (math.pi / self.window), self.x_count)

    def in_time(self, t: Array, span: Span) -> list[Array]:
        """Waves of period t_max - t_min."""
        return _waves(t * jnp.asarray(2 * math.pi / (span[1] - span[0]), t.dtype), self.t_count)


def _waves(angle: Array, count: int) -> list[Array]:
    """1, cos(n angle) for n = 1 .. count // 2, then sines, by adding angles: one sine and cosine in all."""
    cosines, sines = [jnp.ones_like(angle)], [jnp.zeros_like(angle)]
    c, s = jnp.cos(angle), jnp.sin(angle)
    for _ in range(count // 2):
        before, along = cosines[-1], sines[-1]
        cosines.append(before * c - along * s)
        sines.append(along * c + before * s)
    return [*cosines, *sines[1:]][:count]


@register("model", "function_features", function=None, number=None)
@dataclasses.dataclass(frozen=True, init=False)
class FunctionFeatures(FeatureLibrary):
    """Features of your own.

    Args:
        function: phi(x, t) -> (n, number) for x (n, D) and t (n,), in JAX operations that work in float32
            and float64; or its import path "package.module:name".
        number: how many features it returns.
        dimension: D that it is written for; None for any.
        target: "denoiser" or "score".
    """

    function: str | Callable[[Array, Array], Array]
    number: int
    dimension: int | None
    target: str

    def __init__(
        self,
        function: str | Callable[[Array, Array], Array],
        number: int,
        dimension: int | None = None,
        target: str = "denoiser",
    ) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "number", check_integer("model.number", number, least=1))
        if dimension is not None:
            check_integer("model.dimension", dimension, least=1)
        object.__setattr__(self, "dimension", dimension)
        object.__setattr__(self, "target", check_choice("model.target", target, TARGETS))
        object.__setattr__(self, "_call", _function(function))

    def description(self) -> dict[str, Any]:
        """The function by name."""
        function = self.function
        name = function if isinstance(function, str) else f"{function.__module__}:{function.__qualname__}"
        kind = type(self).__name__
        return {"type": kind, "function": name, "number": self.number, "target": self.target}

    def code_fingerprint(self) -> str:
        """Digits of the function's code."""
        return fingerprint(_function(self.function))

    @property
    def grain(self) -> tuple[float, float]:
        """A guess, for nothing is known of the function."""
        return 0.05, 0.02

    def count(self, dimension: int) -> int:
        """`number`."""
        if self.dimension not in (None, dimension):
            hint = "the features are written for another one"
            raise InputError("model.dimension", self.dimension, f"{dimension}, that of the data", hint)
        return self.number

    def features(self, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span) -> Float[Array, "n F"]:
        """What the function returns."""
        table = self._call(x, t)  # type: ignore[attr-defined]
        if table.shape != (x.shape[0], self.number):
            raise InputError("model.function", table.shape, f"an array (n, {self.number}) for x (n, D)")
        return table.astype(x.dtype)

    def at(self, weights: Float[Array, "O F"], t: Float[Array, ""], span: Span) -> Evaluate:
        """The features at every x, times the weights."""

        def evaluate(x: Coordinates) -> Coordinates:
            places = jnp.stack(x, axis=1)
            times = jnp.full(places.shape[0], t, places.dtype)
            return tuple((self.features(places, times, span) @ weights.T).T)

        return evaluate


def _function(function: str | Callable) -> Callable:
    found = load_object("model.function", str(function)) if is_path(function) else function
    if not callable(found):
        allowed = "a function phi(x, t) or an import path package.module:name"
        raise InputError("model.function", function, allowed)
    return found


def _check(library: Any, least: int) -> None:
    for name in ("x_count", "t_count"):
        value = check_integer(f"model.{name}", getattr(library, name), least=least)
        object.__setattr__(library, name, value)
    object.__setattr__(library, "window", check_number("model.window", library.window, above=0))
    check_choice("model.target", library.target, TARGETS)
