"""Forward processes in continuous time, x_t = alpha x_0 + sqrt(sig2) z, and the times a model is used at.

notation:
    dx = -beta x dt + sqrt(2 D) dW        the forward process
    dx/dt = -beta x - D s(x, t)           its probability flow, taken backwards in t with the score s
    u in [0, 1]                           place along the grid of times: u = 0 at t_min, u = 1 at t_max

Sampling takes equal steps in u, and training draws u uniformly. Functions take and return JAX arrays.

Sources: arXiv 2504.12532 (conventions); Song et al., arXiv 2011.13456 (VP); Karras et al., arXiv 2206.00364
(EDM, grid of times with rho = 7).
"""

from __future__ import annotations

import abc
import copy
import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register

Times = Float[Array, "*s"]


class Level(NamedTuple):
    """alpha, sig2, beta and D at some times, all of one shape."""

    alpha: Times
    sig2: Times
    beta: Times
    D: Times


class Diffusion(abc.ABC):
    """A forward process between two times; concrete ones are frozen dataclasses."""

    t_min: float
    t_max: float

    def between(self, t_min: Any, t_max: Any) -> Diffusion:
        """The same process between other times, unchecked: numbers, or values that JAX traces."""
        other = copy.copy(self)
        object.__setattr__(other, "t_min", t_min)
        object.__setattr__(other, "t_max", t_max)
        return other

    @abc.abstractmethod
    def level(self, t: Times) -> Level:
        """The coefficients at times t."""

    @abc.abstractmethod
    def time(self, u: Times | float) -> Any:
        """Times at the places u in [0, 1], growing from t_min to t_max."""


def _check_times(schedule: Diffusion, most: float | None = None) -> None:
    """0 < t_min < t_max (< or = `most`)."""
    t_min = check_number("schedule.t_min", schedule.t_min, above=0)
    t_max = check_number("schedule.t_max", schedule.t_max, above=0, most=most)
    if t_min >= t_max:
        raise InputError("schedule.t_min", t_min, f"a time > 0 and < t_max = {t_max:g}")
    object.__setattr__(schedule, "t_min", t_min)
    object.__setattr__(schedule, "t_max", t_max)


@register("schedule", "variance_preserving")
@dataclasses.dataclass(frozen=True)
class VariancePreserving(Diffusion):
    """beta = D = b0 + b1 t, alpha = exp(-b0 t - b1 t^2 / 2), sig2 = 1 - alpha^2; equal steps of t.

    The defaults are those of the figures of arXiv 2504.12532.
    """

    b0: float = 0.1
    b1: float = 19.9
    t_min: float = 1e-3
    t_max: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "b0", check_number("schedule.b0", self.b0, above=0))
        object.__setattr__(self, "b1", check_number("schedule.b1", self.b1, least=0))
        _check_times(self)

    def level(self, t: Times) -> Level:
        """The coefficients; sig2 keeps its digits as t goes to 0."""
        exponent = self.b0 * t + 0.5 * self.b1 * t * t
        beta = self.b0 + self.b1 * t
        return Level(jnp.exp(-exponent), -jnp.expm1(-2.0 * exponent), beta, beta)

    def time(self, u: Times | float) -> Any:
        """Equal steps."""
        return self.t_min + (self.t_max - self.t_min) * u


@register("schedule", "variance_exploding")
@dataclasses.dataclass(frozen=True)
class VarianceExploding(Diffusion):
    """alpha = 1, sig2 = t^2, D = t: EDM, with t^(1/rho) in equal steps and EDM's values as defaults."""

    rho: float = 7.0
    t_min: float = 0.002
    t_max: float = 80.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rho", check_number("schedule.rho", self.rho, above=0))
        _check_times(self)

    def level(self, t: Times) -> Level:
        """The coefficients."""
        return Level(jnp.ones_like(t), t * t, jnp.zeros_like(t), t)

    def time(self, u: Times | float) -> Any:
        """Equal steps of t^(1/rho)."""
        low, high = self.t_min ** (1.0 / self.rho), self.t_max ** (1.0 / self.rho)
        return (low + (high - low) * u) ** self.rho


@register("schedule", "square_root")
@dataclasses.dataclass(frozen=True)
class SquareRoot(Diffusion):
    """alpha = sqrt(1 - t), sig2 = t, beta = D = 1 / (2 (1 - t)), t < 1; equal steps of t."""

    t_min: float = 1e-3
    t_max: float = 0.99

    def __post_init__(self) -> None:
        _check_times(self, most=1.0 - 1e-9)

    def level(self, t: Times) -> Level:
        """The coefficients."""
        beta = 0.5 / (1.0 - t)
        return Level(jnp.sqrt(1.0 - t), jnp.asarray(t), beta, beta)

    def time(self, u: Times | float) -> Any:
        """Equal steps."""
        return self.t_min + (self.t_max - self.t_min) * u
