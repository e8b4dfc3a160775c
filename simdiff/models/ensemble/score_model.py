"""What an ensemble's models have in common: how one is trained on draws, and what it says once trained.

A family is a frozen, hashable dataclass: it owns shapes and closed forms, and no numbers that training
changes. Those are in what `fit` returns, a pytree whose first array has the outputs as its first axis:
the weights of a feature library, the coefficients of a kernel, the parameters of a network.

notation:
    D = dimension of x, O = outputs
    span = (t_min, t_max), the times between which a model is used
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from simdiff.errors import InputError

TARGETS = ("denoiser", "score")
Span = Float[Array | np.ndarray, "2"]
Coordinates = tuple[Array, ...]
Evaluate = Callable[[Coordinates], Coordinates]
"""D coordinates (n,) each -> O outputs (n,) each. Apart, because compiled loops over an (n, 2) array take
eight times as long (float32, 10 x 10 features, XLA on CPU)."""


class ModelCost(NamedTuple):
    """Bytes and flops of training on some rows, and flops of one evaluation afterwards."""

    memory: int
    training: float
    evaluation: float


class ScoreModel(abc.ABC):
    """A family of models of a score or of a denoiser.

    `target` says what a model's output is: the "denoiser" (an estimate of x_0) or the "score". `trainings`
    names what `fit` can be given: "ridge", "flow", "descent" (plain gradient descent) or "optimiser".
    """

    target: str
    trainings: ClassVar[tuple[str, ...]] = ("ridge", "flow", "descent")

    @property
    @abc.abstractmethod
    def grain(self) -> tuple[float, float]:
        """Lengths below which models are smooth: in x, and in time per t_max - t_min."""

    def count(self, dimension: int) -> int:
        """F, the number of features.

        Raises:
            InputError: the models are not linear in features.
        """
        raise InputError("model", type(self).__name__, "a FeatureLibrary", "others have no F")

    @abc.abstractmethod
    def check(self, dimension: int) -> None:
        """Raises `InputError` where data in R^dimension do not fit."""

    @abc.abstractmethod
    def summary(self, dimension: int) -> str:
        """What a reader must know of the models, in some words."""

    @abc.abstractmethod
    def cost(self, rows: int, dimension: int, steps: int) -> ModelCost:
        """What training on `rows` draws costs; `steps` of descent, if it is by descent."""

    @abc.abstractmethod
    def fit(self, key: Array, pairs: Any, training: Any, span: Span) -> Any:
        """A model trained on `pairs` (x, t, y, weights) by `training`; pure JAX.

        Args:
            key: random key, for a family that starts at random.
            pairs: training draws; those of weight 0 are padding.
            training: a `WeightedTraining`.
            span: (t_min, t_max).
        """

    @abc.abstractmethod
    def values(self, fitted: Any, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span) -> Array:
        """Outputs (n, O) of a trained model at every pair (x, t)."""

    @abc.abstractmethod
    def at(self, fitted: Any, t: Float[Array, ""], span: Span) -> Evaluate:
        """A trained model at one time."""
