"""Gradient flow on the second layer, solved exactly: every training time from one eigendecomposition.

notation:
    dB/dtau = -(B (U + ridge) + V^T),  B(0) = 0       with U, V, B as in `ridge`
    B(tau)  = -V^T phi(U),  phi(x) = (1 - e^{-tau (x + ridge)}) / (x + ridge)
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.trainers.base import Trainer


@register("trainer", "gradient_flow", times=(0.1, 1, 10, 100, 1000, 10000))
@dataclasses.dataclass(frozen=True)
class GradientFlow(Trainer):
    """Gradient flow from zero, recorded at `times`, with ridge >= 0 in the loss.

    Time is that of B: gradient descent with step eta on L(A) reaches time 2 eta h k / (d p) after k
    steps, and `Optax("sgd")` reaches learning_rate * steps.

    Raises:
        InputError: times that are not positive and increasing, or a negative ridge.
    """

    times: Sequence[float]
    ridge: float = 0.0

    exact: ClassVar[bool] = True
    solution: ClassVar[str] = "path"  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", _check_times(self.times))
        object.__setattr__(self, "ridge", check_number("trainer.ridge", self.ridge, least=0))

    @property
    def training_times(self) -> tuple[float, ...]:
        """The times themselves."""
        return tuple(self.times)

    @property
    def recorded(self) -> tuple[float, ...]:
        """The times themselves."""
        return tuple(self.times)

    @property
    def smallest_scale(self) -> float:
        """A flow of length tau resolves eigenvalues above 1 / tau."""
        return self.ridge + 1.0 / self.times[-1]

    @property
    def weighted_kind(self) -> str:
        """A flow to one time: samples are drawn there."""
        if len(self.times) > 1:
            hint = "samples are drawn at one time: sweep over trainer.times instead"
            raise InputError("trainer.times", list(self.times), "one training time", hint)
        return "flow"

    def flops(self, p: int, d: int) -> float:
        """An eigendecomposition and the forms along the path, in units of products."""
        return 30.0 * p**3


def flow_filter(
    eigenvalues: Float[Array, " k"], times: Float[Array, " t"], ridge: Array
) -> tuple[Float[Array, "k t"], Float[Array, "k t"]]:
    """(phi, 1 - x phi) at every eigenvalue x and time, neither by a difference of like numbers."""
    x = jnp.maximum(eigenvalues, 0.0)[:, None]  # a Gram matrix has no negative ones but for rounding
    rate = x + ridge.astype(x.dtype)
    spent = rate * times.astype(x.dtype)
    safe = jnp.where(rate > 0, rate, 1.0)
    phi = jnp.where(rate > 0, -jnp.expm1(-spent) / safe, times.astype(x.dtype))
    left = jnp.where(rate > 0, (ridge.astype(x.dtype) + x * jnp.exp(-spent)) / safe, 1.0)
    return phi, left


def _check_times(times: Any) -> tuple[float, ...]:
    allowed = "positive numbers in increasing order, at least one"
    if isinstance(times, (str, bytes)) or not isinstance(times, Sequence) or len(times) == 0:
        raise InputError("trainer.times", times, allowed, "as in trainer.times=[0.1,1,10]")
    checked = tuple(check_number("trainer.times", time, above=0) for time in times)
    if any(later <= sooner for sooner, later in itertools.pairwise(checked)):
        raise InputError("trainer.times", list(checked), allowed, "they are not sorted, or one appears twice")
    return checked
