"""The contract of a data law: a population that theory may look at, and a sampler that trials run.

The two halves never touch each other: theory reads `spectrum` (and, where x is not Gaussian, the law's
own parameters), a trial runs `sampler(d)` on `inputs(d)`, so agreement between them cannot be circular.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simdiff.engine.random_numbers import normal_rows
from simdiff.functions.activations import Activation
from simdiff.problem import Metric

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

    def labels(self, key: Array, frame: Frame, rows: Array) -> Int[Array, " r"]:
        """The classes of the samples of the given rows, from 0; all 0 for data without classes."""
        return jnp.zeros(rows.shape, jnp.int32)


class DiagonalSampler(Sampler):
    """A sampler in the eigenbasis of x's covariance: given the frame, E x = 0 and E x x^T is diagonal.

    Working in the eigenbasis loses nothing: the noise and the first layer are rotation invariant.
    """

    rounding: ClassVar[float] = 0.0
    """Error of coordinates relative to the largest ones: samples without variance in some direction may have
    its square there, relative to the largest eigenvalue."""

    @abc.abstractmethod
    def eigenvalues(self, frame: Frame) -> Float[Array, " d"]:
        """The diagonal of E x x^T given the frame."""


class GaussianSampler(DiagonalSampler):
    """A law that is N(0, diag(eigenvalues)) given its frame, which is the d eigenvalues."""

    d: int

    def eigenvalues(self, frame: Frame) -> Float[Array, " d"]:
        """The frame itself."""
        return frame

    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """x = sqrt(eigenvalues) * g, coordinate by coordinate."""
        return normal_rows(key, rows, self.d) * jnp.sqrt(frame).astype(jnp.float32)

    def factor(self, frame: Frame, a: Array, h: Array, weights: Array) -> Float[Array, "p d"]:
        """G with G G^T / d the covariance of `weights @ x_t / sqrt(d)` given the frame."""
        return weights * jnp.sqrt(a**2 * frame + h).astype(weights.dtype)

    def floor(self, frame: Frame, a: Array, h: Array) -> Float[Array, ""]:
        """Bayes floor of denoising, 1 - (h/d) tr (a^2 Sigma + h)^{-1}."""
        return 1.0 - jnp.mean(h / (a**2 * frame + h))

    def inside(self, frame: Frame) -> Bool[Array, " d"]:
        """The directions in which x varies."""
        return frame > 0


class GaussianClasses(NamedTuple):
    """x as a mixture of K Gaussians that share eigenvectors.

    The eigenvalues of class k are scale_k times its row: `eigenvalues` has one row for all classes, or
    K. `means` are coordinates along orthonormal directions, in units of sqrt(d).
    """

    probabilities: Float[np.ndarray, " K"]
    scales: Float[np.ndarray, " K"]
    eigenvalues: Float[np.ndarray, "k s"]
    directions: Float[np.ndarray, " s"]
    means: Float[np.ndarray, "K r"]


class Planted(NamedTuple):
    """A direction of variance `spike` in a bulk; the direction is the first coordinate of samples."""

    spike: float
    eigenvalues: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, " s"]


class DataLaw(abc.ABC):
    """A law of data in R^d for every d. Concrete laws are frozen dataclasses."""

    gaussian: ClassVar[bool] = True
    """Centred and Gaussian given the frame: then `spectrum` says everything, and `sampler` returns a
    `GaussianSampler`."""

    gaussian_features: ClassVar[bool] = True
    """Whether networks see x as a Gaussian vector of this covariance as d grows: what built-in theory takes
    for granted."""

    classes: int = 1
    """How many classes x may be of; `Sampler.labels` says of which."""

    diagnostics: ClassVar[tuple[Metric, ...]] = ()
    """Further metrics of trials on such data."""

    score_nonlinearity: Activation | None = None
    """The function of a generalised linear model, whose message passing gives trials the exact score of x."""

    random_frame: ClassVar[bool] = False
    """Whether trials differ in their frame, and so in their Bayes floor: then the floor is a metric."""

    @property
    def linear_theory(self) -> str | None:
        """The theory of linear models on such data, where that of Gaussian data does not hold."""
        return None

    @property
    def minimum_theory(self) -> str | None:
        """The theory of exact minimisers, linear or not, where it is not that of Gaussian data."""
        return None

    def gaussian_classes(self) -> GaussianClasses | None:
        """x as a mixture of Gaussians, a continuous one by a fine quadrature; None for other laws."""
        return None

    def planted(self) -> Planted | None:
        """The planted direction, where there is one to be recovered."""
        return None

    def population(self) -> Float[np.ndarray, "m d"] | None:
        """All points of a finite law, each as likely, in the basis of `spectrum`; None for other laws."""
        return None

    @property
    def diagonal(self) -> bool:
        """Whether `spectrum` is that of x itself and `sampler` returns a `DiagonalSampler`."""
        return self.gaussian

    @property
    def knows_score(self) -> bool:
        """Whether trials have the exact score: from the covariance, or by message passing."""
        return self.gaussian or self.score_nonlinearity is not None

    @property
    def rank(self) -> int | None:
        """Directions in which a finite set of points varies; None for a law with a density."""
        return None

    @property
    def only_size(self) -> int | None:
        """The one size that the law has, where it is given by data; None: any size."""
        return None

    def check_samples(self, n: int) -> None:
        """Raise `InputError` where the law is too small a set of data for n samples."""
        return

    @property
    def stored_bytes(self) -> int:
        """Bytes of data that a trial has at hand."""
        return 0

    @abc.abstractmethod
    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of the population covariance and their weights (sum 1), float64."""

    @abc.abstractmethod
    def at_size(self, d: int) -> DataLaw:
        """The same law with the spectrum that size d really has: what theory is given."""

    @abc.abstractmethod
    def sampler(self, d: int) -> Sampler:
        """The compiled half at size d."""

    @abc.abstractmethod
    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """Arrays the sampler reads: they may differ between laws that share a sampler."""

    @property
    def has_flat_directions(self) -> bool:
        """Whether x lies in a linear subspace: then errors inside and outside it are metrics."""
        return False

    def ratios(self) -> Mapping[str, float]:
        """Ratios to d that should come out as integers."""
        return {}

    def notes(self) -> tuple[str, ...]:
        """What a reader of results with this law must know."""
        return ()
