"""The contract of a data law: a population that theory may look at, and a sampler that trials run.

The two halves never touch each other: theory reads `spectrum`, a trial runs `sampler(d)` on
`inputs(d)`, so agreement between them cannot be circular.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Float

Frame = Any
"""What one trial draws once and all its samples share (a manifold's embedding, say); a pytree."""


class Sampler(abc.ABC):
    """The compiled half of a data law at one size: hashable, pure JAX, float32 samples."""

    @abc.abstractmethod
    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """Whatever one trial draws once, from the law's `inputs`."""

    @abc.abstractmethod
    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """The samples of the given rows; a row's value depends on (key, frame, row) alone."""

    @abc.abstractmethod
    def factor(self, frame: Frame, a: Array, h: Array, weights: Array) -> Float[Array, "p k"]:
        """G with G G^T / d the covariance of `weights @ x_t / sqrt(d)` given the frame.

        Only for laws that are Gaussian and centred given the frame: the exact test error needs it.
        """

    @abc.abstractmethod
    def floor(self, frame: Frame, a: Array, h: Array) -> Float[Array, ""]:
        """(1/d) E ||z + sqrt(h) grad log P_t(x_t)||^2 given the frame: the Bayes floor of DSM."""


class DataLaw(abc.ABC):
    """A law of data in R^d for every d. Concrete laws are frozen dataclasses."""

    @abc.abstractmethod
    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of the population covariance and their weights (sum 1), float64."""

    @abc.abstractmethod
    def realised(self, d: int) -> DataLaw:
        """The same law with the spectrum that size d really has: what theory is given."""

    @abc.abstractmethod
    def sampler(self, d: int) -> Sampler:
        """The compiled half at size d."""

    @abc.abstractmethod
    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """Arrays the sampler reads: they may differ between laws that share a sampler."""

    def ratios(self) -> Mapping[str, float]:
        """Ratios to d that should come out as integers."""
        return {}

    def notes(self) -> tuple[str, ...]:
        """What a reader of results with this law must know."""
        return ()
