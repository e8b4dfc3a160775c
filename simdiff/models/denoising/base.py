"""The contract of a score network whose output is linear in what is trained."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar


class ScoreNetwork(abc.ABC):
    """Concrete networks are frozen dataclasses; for features see `problems.denoising.dispatch`."""

    splits: ClassVar[bool] = False
    """Whether devices can split the features of one trial."""

    theory: ClassVar[str | None] = None
    """The theory of its exact minimiser; None: there is none."""

    path_theory: ClassVar[str | None] = None
    """The theory of flow and descent; None: there is none."""

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

    def ratios(self) -> Mapping[str, float]:
        """The ratios to d whose products with d should be integers."""
        return {}
