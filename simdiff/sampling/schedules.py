"""Noise schedules, and the steps by which a reverse process undoes the noise.

Forward process x_t = a x + sqrt(h) z with a = e^-t, h = 1 - e^-2t. Its reverse, with the score
s = -eps / sqrt(h) that a noise prediction eps(x, t) implies, starts from N(0, I) at t = horizon and is

    dx = (x + 2 s) dt' + sqrt(2) dW     the reverse SDE,        dx = (x + s) dt'     the probability flow

in t' = horizon - t. A schedule takes it in finitely many steps, every one of which calls the denoiser
once, or in continuous time.

notation:
    alpha_t = 1 - beta_t,  abar_t = alpha_1 ... alpha_t = a^2      DDPM's names, t = 1..T
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.parts.registry import register

PerStep = Float[Array | np.ndarray, " T"]
Number = Float[Array | np.ndarray, ""]


class Steps(NamedTuple):
    """A reverse process in T steps, the noisiest first: x <- keep x + push eps(x, level) + noise z.

    Losses are averaged over the T levels (a, h) at which the denoiser is called, with equal weights.
    """

    a: PerStep
    h: PerStep
    keep: PerStep
    push: PerStep
    noise: PerStep

    @property
    def continuous(self) -> bool:
        """A reverse process in steps."""
        return False


class Limit(NamedTuple):
    """A reverse process in continuous time; losses are taken at one level (a, h), arrays of length 1.

    start = e^{-2 horizon}, 0 for an infinite horizon; strength = 2 for the reverse SDE, 1 for the flow.
    """

    a: PerStep
    h: PerStep
    start: Number
    strength: Number

    @property
    def continuous(self) -> bool:
        """A reverse process without steps."""
        return True


class Schedule(abc.ABC):
    """How samples are made; concrete schedules are frozen dataclasses."""

    @property
    def from_infinity(self) -> bool:
        """Whether the reverse process has no discretisation error and starts at an infinite horizon."""
        return False

    @abc.abstractmethod
    def plan(self) -> Steps | Limit:
        """The steps, or the limit, as float64 arrays."""


@register("schedule", "exact")
@dataclasses.dataclass(frozen=True)
class Exact(Schedule):
    """Sampling without discretisation error; `t` is the time at which test and train loss are taken.

    process is "reverse" (the SDE) or "flow" (probability flow); both sample the trained law itself when
    denoisers are exact minimisers without ridge. From an infinite horizon not every training has a
    limit: with a ridge only the SDE does, and only for ridge < 1; early stopping has none.
    """

    process: str = "reverse"
    horizon: float = math.inf
    t: float = 0.1

    def __post_init__(self) -> None:
        check_choice("schedule.process", self.process, ("reverse", "flow"))
        horizon = check_number("schedule.horizon", self.horizon, above=0, finite=False)
        object.__setattr__(self, "horizon", horizon)
        object.__setattr__(self, "t", check_number("schedule.t", self.t, above=0))

    @property
    def from_infinity(self) -> bool:
        """Where the horizon is infinite."""
        return math.isinf(self.horizon)

    def plan(self) -> Limit:
        """The limit."""
        a, h = _level(np.array([self.t]))
        strength = 2.0 if self.process == "reverse" else 1.0
        return Limit(a, h, np.array(math.exp(-2.0 * self.horizon)), np.array(strength))


@register("schedule", "ddpm")
@dataclasses.dataclass(frozen=True)
class DDPM(Schedule):
    """DDPM with noise prediction, beta_t = first + (last - first) t / T for t = 1..T = `steps`.

    x_{t-1} = (x_t - beta_t eps / sqrt(1 - abar_t)) / sqrt(alpha_t) + sigma_t z, without noise at t = 1.
    variance is "beta", sigma_t^2 = beta_t, or "posterior", beta_t (1 - abar_{t-1}) / (1 - abar_t).
    The defaults are the schedule of Merger, Goldt, arXiv 2505.24769, at T = 1000.
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 1e-2
    variance: str = "beta"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", check_integer("schedule.steps", self.steps, least=1))
        for name in ("first", "last"):
            value = check_number(f"schedule.{name}", getattr(self, name), above=0)
            if value >= 1:
                raise InputError(f"schedule.{name}", value, "a variance > 0 and < 1")
            object.__setattr__(self, name, value)
        check_choice("schedule.variance", self.variance, ("beta", "posterior"))

    def plan(self) -> Steps:
        """The steps t = T..1."""
        beta = self.first + (self.last - self.first) * np.arange(1, self.steps + 1) / self.steps
        log_abar = np.cumsum(np.log1p(-beta))
        h = -np.expm1(log_abar)
        before = np.append(0.0, h[:-1])
        sigma2 = beta.copy() if self.variance == "beta" else beta * before / h
        sigma2[0] = 0.0
        root = np.sqrt(1.0 - beta)
        columns = (np.exp(0.5 * log_abar), h, 1.0 / root, -beta / (root * np.sqrt(h)), np.sqrt(sigma2))
        return Steps(*(column[::-1].copy() for column in columns))


@dataclasses.dataclass(frozen=True)
class EvenSteps(Schedule):
    """`steps` equal steps of time from `horizon` to 0, each taken by `method`, "euler" or "exponential"."""

    steps: int = 1000
    horizon: float = 5.0
    method: str = "exponential"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", check_integer("schedule.steps", self.steps, least=1))
        object.__setattr__(self, "horizon", check_number("schedule.horizon", self.horizon, above=0))
        check_choice("schedule.method", self.method, ("euler", "exponential"))

    def grid(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Levels (a, h) at the start of every step, the noisiest first, and the step."""
        times = self.horizon * np.arange(self.steps, 0, -1) / self.steps
        return *_level(times), self.horizon / self.steps


@register("schedule", "reverse_sde")
@dataclasses.dataclass(frozen=True)
class ReverseSDE(EvenSteps):
    """The reverse SDE in equal steps of time.

    method is "euler" (Euler-Maruyama) or "exponential" (the linear drift and its noise exactly, the
    score frozen over a step). Both have an error of first order in the step.
    """

    def plan(self) -> Steps:
        """The steps, the last of them with noise too."""
        a, h, dt = self.grid()
        if self.method == "euler":
            keep, push, noise = 1.0 + dt, -2.0 * dt / np.sqrt(h), math.sqrt(2.0 * dt)
        else:
            growth = math.expm1(dt)
            keep, push, noise = 1.0 + growth, -2.0 * growth / np.sqrt(h), math.sqrt(math.expm1(2.0 * dt))
        return Steps(a, h, np.full_like(h, keep), push, np.full_like(h, noise))


@register("schedule", "probability_flow")
@dataclasses.dataclass(frozen=True)
class ProbabilityFlow(EvenSteps):
    """The probability-flow ODE in equal steps of time.

    method is "euler", with an error of first order in the step, or "exponential", which is exact for a
    constant noise prediction (DDIM). Its error is of order log(steps) / steps: its variable sqrt(h) / a
    varies like sqrt(t), and the steps next to t = 0 add the logarithm.
    """

    def plan(self) -> Steps:
        """The steps; none has noise."""
        a, h, dt = self.grid()
        if self.method == "euler":
            keep, push = np.full_like(h, 1.0 + dt), -dt / np.sqrt(h)
        else:
            keep = np.full_like(h, math.exp(dt))
            push = np.sqrt(np.append(h[1:], 0.0)) - keep * np.sqrt(h)
        return Steps(a, h, keep, push, np.zeros_like(h))


def _level(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.exp(-t), -np.expm1(-2.0 * t)
