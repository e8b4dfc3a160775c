"""Gradient training with optax: of a second layer, of a linear map, or of any network."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.identity.description import describe
from simdiff.parts.registry import register
from simdiff.trainers.base import Solution, Trainer
from simdiff.trainers.transformations import averaged, code_of, described, is_given, transformation

if TYPE_CHECKING:
    import optax  # elsewhere late: it takes half a second, and most trials need none of it

SCHEDULES = ("constant", "cosine", "linear", "exponential", "warmup_cosine")


def learning_rate(schedule: str, rate: float, steps: int) -> optax.Schedule:
    """The learning rate at every step, from its peak and the number of steps."""
    import optax

    if schedule == "warmup_cosine":
        return optax.warmup_cosine_decay_schedule(0.0, rate, max(1, steps // 20), steps)
    made = {
        "constant": lambda: optax.constant_schedule(rate),
        "cosine": lambda: optax.cosine_decay_schedule(rate, steps),
        "linear": lambda: optax.linear_schedule(rate, 0.0, steps),
        "exponential": lambda: optax.exponential_decay(rate, steps, 0.01),
    }
    return made[schedule]()


@register("trainer", "optax")
@dataclasses.dataclass(frozen=True)
class Optax(Trainer):
    """Gradient training: of random features A from zero, of a `Network` from its start.

    The loss minimised is L(A) d p / (2 h), so that for plain SGD the step is measured in the training
    time of gradient flow on B: time = learning_rate * steps. For a `Network` it is d / 2 times its loss.

    Args:
        name: sgd, momentum, nesterov, adam, adamw or rmsprop; any other optimiser of optax with arguments, as
            in "lion(b1=0.95)"; an import path "file.py:name" of a GradientTransformation or of a function
            that makes one, which is given the learning rate's schedule if it takes an argument; or a
            `optax.GradientTransformation`, whose step size is its own.
        learning_rate: peak step size, > 0.
        steps: number of updates, >= 1.
        batch: training pairs per step, or None for all of them (the exact gradient).
        noise: "fixed" trains on the m draws of each sample; "fresh" draws noise anew each step, which
            is m = inf.
        ridge: lambda of the loss, >= 0.
        schedule: constant, cosine, linear, exponential or warmup_cosine.
        records: number of log-spaced steps at which metrics are recorded, the last included.
        clip: the largest norm of a gradient, all parameters together, > 0; None: gradients are as they are.
        ema: decay per step of the exponential moving average of the parameters, in [0, 1), which metrics are
            then measured on; None: on the parameters themselves.
    """

    name: Any = "adam"
    learning_rate: float = 1e-2
    steps: int = 1000
    batch: int | None = None
    noise: Literal["fixed", "fresh"] = "fixed"
    ridge: float = 0.0
    schedule: str = "constant"
    records: int = 8
    clip: float | None = None
    ema: float | None = None

    def __post_init__(self) -> None:
        check_choice("trainer.noise", self.noise, ("fixed", "fresh"))
        check_choice("trainer.schedule", self.schedule, SCHEDULES)
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
        self._check_shaping()

    def _check_shaping(self) -> None:
        """The optimiser, and what is put around it."""
        if self.clip is not None:
            object.__setattr__(self, "clip", check_number("trainer.clip", self.clip, above=0))
        if self.ema is not None:
            ema = check_number("trainer.ema", self.ema, least=0)
            if ema >= 1:
                raise InputError("trainer.ema", ema, "a number in [0, 1)")
            object.__setattr__(self, "ema", ema)
        plain = (self.learning_rate, self.schedule) == (Optax.learning_rate, Optax.schedule)
        if not isinstance(self.name, str) and not plain:
            hint = "an optimiser that is an object has a step size of its own"
            raise InputError("trainer.learning_rate", self.learning_rate, "nothing", hint)
        _ = self.optimiser

    def description(self) -> dict[str, Any]:
        """The fields; of those that came to be later only what was set."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["name"] = described(self.name)
        later = {name for name in ("clip", "ema") if fields[name] is None}
        return {"type": "Optax", **{n: describe(v) for n, v in fields.items() if n not in later}}

    def code_fingerprint(self) -> str:
        """Digits of an optimiser of the user's."""
        return code_of(self.name, self._rate)

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
        if self.ema is not None:
            raise InputError("trainer.ema", self.ema, "null, for models of point sets")
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
        shaped = self.schedule != "constant" or self.clip is not None or self.ema is not None
        plain = self.name == "sgd" and self.batch is None and not shaped
        return self.learning_rate if plain else 0.0

    @property
    def training_times(self) -> tuple[float, ...]:
        """Training time at the recorded steps: the learning rates summed, ten times that with momentum 0.9.

        For adaptive optimisers, whose steps are not proportional to gradients, a scale of their own.

        Raises:
            InputError: an optimiser of the user's own, whose steps are not known.
        """
        if is_given(self.name):
            hint = "theories of training in time do not know how far its steps go"
            raise InputError("trainer.name", described(self.name), "an optimiser by name", hint)
        rate = self._rate
        spent = np.cumsum(np.asarray(rate(np.arange(self.steps)), float) * np.ones(self.steps))
        scale = 10.0 if self.name in ("momentum", "nesterov") else 1.0
        return tuple(float(scale * spent[int(step) - 1]) for step in self.times)

    @property
    def steps_taken(self) -> int:
        """All of them."""
        return self.steps

    @property
    def _rate(self) -> Any:
        """The learning rate at every step."""
        return learning_rate(self.schedule, self.learning_rate, self.steps)

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """The optax optimiser with its schedule, behind the clipping of gradients, before the average."""
        import optax

        found = transformation(self.name, self._rate)
        if self.clip is not None:
            found = optax.chain(optax.clip_by_global_norm(self.clip), found)
        return found if self.ema is None else optax.chain(found, averaged(self.ema))

    def measured(self, trained: Any, memory: Any) -> Any:
        """The parameters that metrics are measured on: the average where there is one."""
        return trained if self.ema is None else memory[-1].average
