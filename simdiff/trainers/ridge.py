"""The exact minimiser of the ridge-regularised loss, and its two solvers.

notation:
    B = sqrt(h) A / sqrt(p)          d x p, the trained map from features to -z
    U = (1/N) sum f f^T,  V = (1/N) sum f z^T        over the N = n m training pairs
    B = -V^T (U + ridge)^{-1}        the minimiser (primal)
      = -(1/N) [(K + ridge)^{-1} Z]^T F, K = F F^T / N     the same (dual), cheaper when N < p
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.errors import check_number
from simdiff.parts.registry import register
from simdiff.trainers.base import Trainer


@register("trainer", "ridge", ridge=1e-3)
@dataclasses.dataclass(frozen=True)
class Ridge(Trainer):
    """Exact ridge regression; `ridge` is lambda of the loss, > 0."""

    ridge: float

    exact: ClassVar[bool] = True
    splits: ClassVar[bool] = True
    runs_long: ClassVar[bool] = False
    solution: ClassVar[str] = "minimum"  # type: ignore[assignment]
    weighted_kind: ClassVar[str] = "ridge"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ridge", check_number("trainer.ridge", self.ridge, above=0))

    @property
    def smallest_scale(self) -> float:
        """The ridge: smaller eigenvalues of U do not matter beside it."""
        return self.ridge


def solve_regularised(
    gram: Float[Array, "k k"], ridge: Array, right: Float[Array, "k c"]
) -> Float[Array, "k c"]:
    """(gram + ridge)^{-1} right by Cholesky factorisation."""
    shifted = gram + ridge.astype(gram.dtype) * jnp.eye(gram.shape[0], dtype=gram.dtype)
    factor = jax.scipy.linalg.cho_factor(shifted, lower=True)
    return jax.scipy.linalg.cho_solve(factor, right)
