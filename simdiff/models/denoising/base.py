"""The contract of a score network."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from simdiff.problem import Metric


class ScoreNetwork(abc.ABC):
    """Concrete networks are frozen dataclasses; for features see `problems.denoising.dispatch`."""

    splits: ClassVar[bool] = False
    """Whether devices can split the features of one trial."""

    linear: ClassVar[bool] = False
    """Whether it is a linear map of x_t: then data may have a `linear_theory` of their own."""

    theory: ClassVar[str | None] = None
    """The theory of its exact minimiser; None: there is none."""

    path_theory: ClassVar[str | None] = None
    """The theory of flow and descent; None: there is none."""

    approximate: ClassVar[bool] = False
    """Whether theories describe another model, which this is only like."""

    has_limit: ClassVar[bool] = True
    """Whether it grows with d, so that sizes can be extrapolated."""

    diagnostics: ClassVar[tuple[Metric, ...]] = ()
    """Metrics of trials with such a network that no theory predicts."""

    @property
    def stand_in(self) -> ScoreNetwork | None:
        """The model that theories are told of."""
        return self

    @abc.abstractmethod
    def width(self, d: int) -> int:
        """Features at size d."""

    @abc.abstractmethod
    def at_size(self, d: int) -> ScoreNetwork:
        """The network at the ratios that size d really has after rounding."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where features are not smooth functions of their pre-activation."""
        return ()

    def check_training(self, trainer: Any, m: float) -> None:
        """Raise `InputError` where it cannot be trained so, with m noise draws per sample."""
        return

    def notes(self) -> tuple[str, ...]:
        """What a reader of results with this network must know."""
        return ()

    def ratios(self) -> Mapping[str, float]:
        """The ratios to d whose products with d should be integers."""
        return {}
