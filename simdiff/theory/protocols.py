"""What theories read of a problem: population quantities and stated facts, never a sampler or a kernel.

Any object with these attributes will do; a theory says in one line what it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Population(Protocol):
    """A data law: eigenvalues of the covariance of x and their weights."""

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Both of shape (s,); the weights add up to 1."""


@runtime_checkable
class Spike(Protocol):
    """A direction planted in a bulk."""

    @property
    def spike(self) -> float:
        """The variance along it."""

    @property
    def eigenvalues(self) -> np.ndarray:
        """Of the bulk."""

    @property
    def weights(self) -> np.ndarray:
        """Of these eigenvalues; they add up to 1."""


@runtime_checkable
class Training(Protocol):
    """A trainer; `solution` is "minimum", "path" or None, see `simdiff.trainers.Trainer`."""

    ridge: float
    solution: str | None
    training_times: Sequence[float]
    step: float


@runtime_checkable
class Asked(Protocol):
    """Any problem: what a theory may be asked for."""

    @property
    def metrics(self) -> Sequence[Any]:
        """Its metrics."""


@runtime_checkable
class Trained(Asked, Protocol):
    """A problem in which models are trained on data."""

    @property
    def data(self) -> Any:
        """The data law, or set of points."""

    @property
    def trainer(self) -> Any:
        """How models are trained."""


@runtime_checkable
class Described(Trained, Protocol):
    """A problem of denoising score matching."""

    @property
    def model(self) -> Any:
        """The network."""

    @property
    def psi_n(self) -> float:
        """Samples per dimension."""

    @property
    def m(self) -> float:
        """Noise draws per sample."""

    @property
    def t(self) -> float:
        """Diffusion time."""


@runtime_checkable
class Chain(Trained, Protocol):
    """Sampling by linear denoisers."""

    @property
    def schedule(self) -> Any:
        """Levels of noise."""

    @property
    def psi_n(self) -> float:
        """Samples per dimension."""

    @property
    def bias(self) -> bool:
        """Whether means are learned."""

    @property
    def kl(self) -> bool:
        """Whether divergences are metrics."""

    @property
    def splits(self) -> int:
        """Models trained on disjoint sets."""

    @property
    def times(self) -> tuple[float, ...] | None:
        """Recorded training times."""

    @property
    def size(self) -> int | None:
        """d, in what a theory is given at one size."""

    @property
    def singular(self) -> bool:
        """Whether sampling leaves no variance where the training data have none."""

    @property
    def margin(self) -> float:
        """How far to the left of 0 the spectral functions stay regular."""

    @property
    def spectral_functions(self) -> Any:
        """What sampling makes of each eigenvalue of the training covariance."""


@runtime_checkable
class Ensemble(Trained, Protocol):
    """Sampling by models that were trained on draws from a set of points."""

    @property
    def model(self) -> Any:
        """Features, or a network."""

    @property
    def schedule(self) -> Any:
        """The forward process."""

    @property
    def weight(self) -> str:
        """Of the loss, over times."""

    @property
    def steps(self) -> int:
        """Of sampling."""

    @property
    def fresh(self) -> int:
        """Draws on which the test loss is measured."""

    @property
    def size(self) -> Any:
        """Draws for training, in what a theory is given at one size."""

    @property
    def gap_radius(self) -> float:
        """Samples farther than this from all points are in a gap."""

    def at_size(self, d: int) -> Any:
        """The same problem with d draws."""


@runtime_checkable
class Exponential(Protocol):
    """The exact score of a number of points that grows exponentially in d."""

    @property
    def data(self) -> Any:
        """The mixture."""

    @property
    def alpha(self) -> float | None:
        """log(points) per dimension."""

    @property
    def times(self) -> tuple[float, ...]:
        """Diffusion times."""

    @property
    def psi_n(self) -> float | None:
        """Points per dimension."""

    @property
    def fresh(self) -> int:
        """Noisy points per trial."""

    @property
    def process(self) -> Any:
        """The forward process."""

    def count(self, d: int) -> int:
        """Points at size d."""

    def log_count(self, d: int) -> float:
        """Its logarithm."""


@runtime_checkable
class Flow(Protocol):
    """A flow that was learned from few points of a mixture."""

    @property
    def n(self) -> int:
        """Points."""

    @property
    def sigma(self) -> float:
        """Standard deviation within the classes."""

    @property
    def ridge(self) -> float:
        """Of the trained denoiser."""


@runtime_checkable
class Successive(Trained, Protocol):
    """Linear models trained on samples of models."""

    @property
    def psi_n(self) -> float:
        """Samples per dimension, of each generation."""

    @property
    def generations(self) -> int:
        """How many."""

    @property
    def keep(self) -> Any:
        """What each is trained on."""

    @property
    def share(self) -> float:
        """Of real data, after the first generation."""

    @property
    def ridge(self) -> float:
        """Of the training."""

    @property
    def size(self) -> int | None:
        """d, in what a theory is given at one size."""

    @property
    def kl(self) -> bool:
        """Whether divergences are metrics."""


def is_minimum(trainer: Any) -> bool:
    """Whether it reaches the exact minimiser of the loss."""
    return getattr(trainer, "solution", None) == "minimum"


def takes_time(trainer: Any) -> bool:
    """Whether it has recorded training times."""
    return not is_minimum(trainer) and hasattr(trainer, "training_times")
