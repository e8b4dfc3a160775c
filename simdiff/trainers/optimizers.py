"""Gradient training of the second layer with optax."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import optax

from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.parts.registry import register
from simdiff.trainers.base import Solution, Trainer

_OPTIMISERS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "nesterov": lambda rate: optax.sgd(rate, momentum=0.9, nesterov=True),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
}
_SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda rate, steps: optax.constant_schedule(rate),
    "cosine": optax.cosine_decay_schedule,
    "linear": lambda rate, steps: optax.linear_schedule(rate, 0.0, steps),
    "exponential": lambda rate, steps: optax.exponential_decay(rate, steps, 0.01),
    "warmup_cosine": lambda rate, steps: optax.warmup_cosine_decay_schedule(
        0.0, rate, max(1, steps // 20), steps
    ),
}


@register("trainer", "optax")
@dataclasses.dataclass(frozen=True)
class Optax(Trainer):
    """Gradient training of A from zero.

    The loss minimised is L(A) d p / (2 h), so that for plain SGD the step is measured in the training
    time of gradient flow on B: time = learning_rate * steps.

    Args:
        name: sgd, momentum, nesterov, adam, adamw or rmsprop.
        learning_rate: peak step size, > 0.
        steps: number of updates, >= 1.
        batch: training pairs per step, or None for all of them (the exact gradient).
        noise: "fixed" trains on the m draws of each sample; "fresh" draws noise anew each step, which
            is m = inf.
        ridge: lambda of the loss, >= 0.
        schedule: constant, cosine, linear, exponential or warmup_cosine.
        records: number of log-spaced steps at which metrics are recorded, the last included.
    """

    name: str = "adam"
    learning_rate: float = 1e-2
    steps: int = 1000
    batch: int | None = None
    noise: Literal["fixed", "fresh"] = "fixed"
    ridge: float = 0.0
    schedule: str = "constant"
    records: int = 8

    def __post_init__(self) -> None:
        check_choice("trainer.name", self.name, _OPTIMISERS)
        check_choice("trainer.noise", self.noise, ("fixed", "fresh"))
        check_choice("trainer.schedule", self.schedule, _SCHEDULES)
        rate = check_number("trainer.learning_rate", self.learning_rate, above=0)
        object.__setattr__(self, "learning_rate", rate)
        object.__setattr__(self, "ridge", check_number("trainer.ridge", self.ridge, least=0))
        for name in ("steps", "records", *(("batch",) if self.batch is not None else ())):
            checked = check_integer(f"trainer.{name}", getattr(self, name), least=1)
            object.__setattr__(self, name, checked)
        if self.noise == "fresh" and self.batch is None:
            raise InputError(
                "trainer.batch", None, "an integer >= 1", "fresh noise each step needs a batch size"
            )

    @property
    def fresh_noise(self) -> bool:  # type: ignore[override]
        """Whether noise is drawn anew in every step."""
        return self.noise == "fresh"

    @property
    def solution(self) -> Solution:
        """Plain full-batch descent follows a known path; theory knows no other optimiser's."""
        return "path" if self.step > 0 else None

    @property
    def smallest_scale(self) -> float:
        """Nothing is solved."""
        return math.inf

    @property
    def weighted_kind(self) -> str:
        """Descent on all draws, plain or not."""
        if self.batch is not None:
            raise InputError("trainer.batch", self.batch, "null: all draws in every step")
        return "descent" if self.step > 0 else "optimiser"

    def flops(self, p: int, d: int) -> float:
        """Of all steps: three products with a batch, one with U for the exact gradient."""
        return self.steps * (6.0 * self.batch * p * d if self.batch else 2.0 * p**2 * d)

    def check_draws(self, m: float) -> None:
        """Fresh noise is m = infinity; batches of fixed draws are not."""
        if self.noise == "fresh" and not math.isinf(m):
            raise InputError(
                "m", m, "inf", 'trainer.noise="fresh" draws new noise each step, which is m = inf'
            )
        if self.noise == "fixed" and self.batch is not None and math.isinf(m):
            hint = 'm = inf has no fixed draws: use noise="fresh", or batch=None for the exact gradient'
            raise InputError("trainer.noise", "fixed", "fresh", hint)

    @property
    def times(self) -> tuple[float, ...]:
        """The recorded steps: log-spaced integers from 1 (or so) to `steps`."""
        spaced = np.unique(np.rint(np.geomspace(self.steps, 1, self.records)).astype(int))
        return tuple(float(step) for step in spaced)

    @property
    def recorded(self) -> tuple[float, ...]:
        """The recorded steps."""
        return self.times

    @property
    def step(self) -> float:
        """The step of plain full-batch descent, whose path is known exactly; 0 for other optimisers."""
        plain = self.name == "sgd" and self.batch is None and self.schedule == "constant"
        return self.learning_rate if plain else 0.0

    @property
    def training_times(self) -> tuple[float, ...]:
        """Training time at the recorded steps: the learning rates summed, ten times that with momentum 0.9.

        For adaptive optimisers, whose steps are not proportional to gradients, a scale of their own.
        """
        rate = _SCHEDULES[self.schedule](self.learning_rate, self.steps)
        spent = np.cumsum(np.asarray(rate(np.arange(self.steps)), float) * np.ones(self.steps))
        scale = 10.0 if self.name in ("momentum", "nesterov") else 1.0
        return tuple(float(scale * spent[int(step) - 1]) for step in self.times)

    @property
    def steps_taken(self) -> int:
        """All of them."""
        return self.steps

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """The optax optimiser with its schedule."""
        return _OPTIMISERS[self.name](_SCHEDULES[self.schedule](self.learning_rate, self.steps))
