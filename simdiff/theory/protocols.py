"""What theories read of a problem: population quantities and stated facts, never a sampler or a kernel.

Any object with these attributes will do; a theory says in one line what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Population(Protocol):
    """A data law: eigenvalues of the covariance of x and their weights."""

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Both of shape (s,); the weights add up to 1."""


class Training(Protocol):
    """A trainer; `solution` is "minimum", "path" or None, see `simdiff.trainers.Trainer`."""

    ridge: float
    solution: str | None
    training_times: Sequence[float]
    step: float


class Described(Protocol):
    """A problem of denoising score matching: the ratios, noise draws, time, and its parts."""

    data: Any
    model: Any
    trainer: Any
    psi_n: float
    m: float
    t: float


def is_minimum(trainer: Any) -> bool:
    """Whether it reaches the exact minimiser of the loss."""
    return getattr(trainer, "solution", None) == "minimum"


def takes_time(trainer: Any) -> bool:
    """Whether it has recorded training times."""
    return not is_minimum(trainer) and hasattr(trainer, "training_times")
