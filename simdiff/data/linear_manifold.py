"""Data on a random linear subspace: x = M xi / sqrt(D), D = psi_D d.

Source: George, Macris, arXiv 2603.22962. Given M the data are Gaussian with covariance M M^T / D, and a
trial works in its eigenbasis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.data.base import DataLaw, Frame, GaussianSampler
from simdiff.data.gaussian import FixedSpectrumSampler
from simdiff.data.marchenko_pastur import RESOLVED, marchenko_pastur
from simdiff.engine.padding import bucket
from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register


@register("data", "linear_manifold")
@dataclasses.dataclass(frozen=True)
class LinearManifold(DataLaw):
    """x = M xi / sqrt(D) with xi ~ N(0, I_D), D = psi_D d and M in R^{d x D} drawn anew in every trial.

    M has iid N(0, 1) entries, so E |x|^2 = d; psi_D may exceed 1. With `isometric`, x = O xi with
    orthonormal columns O instead: the covariance is a projector of rank D, E |x|^2 = D, psi_D <= 1.
    Where psi_D < 1, errors inside and outside the subspace are metrics too.

    Raises:
        InputError: psi_D not a positive number, or above 1 for an isometric embedding.
    """

    psi_D: float = 0.5
    isometric: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "psi_D", check_intrinsic_ratio(self.psi_D))
        if not isinstance(self.isometric, bool):
            raise InputError("data.isometric", self.isometric, "true or false")
        if self.isometric and self.psi_D > 1:
            hint = "orthonormal columns in R^d number at most d; isometric=False allows psi_D > 1"
            raise InputError("data.psi_D", self.psi_D, "at most 1 for an isometric manifold", hint)

    @property
    def random_frame(self) -> bool:  # type: ignore[override]
        """The eigenvalues of M M^T differ from trial to trial, those of a projector do not."""
        return not self.isometric

    @property
    def has_flat_directions(self) -> bool:
        """Directions outside the subspace exist."""
        return self.psi_D < 1

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Marchenko-Pastur, or eigenvalues 0 and 1."""
        if self.isometric:
            pairs = [(0.0, 1.0 - self.psi_D), (1.0, self.psi_D)]
            values, weights = zip(*[pair for pair in pairs if pair[1] > 0], strict=True)
        else:
            values, weights = marchenko_pastur(self.psi_D)
        return np.array(values), np.array(weights)

    def fine_spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Marchenko-Pastur by so many atoms that no gaps show between them."""
        if self.isometric:
            return self.spectrum()
        values, weights = marchenko_pastur(self.psi_D, RESOLVED)
        return np.array(values), np.array(weights)

    def at_size(self, d: int) -> LinearManifold:
        """psi_D = D / d for the whole number D."""
        return dataclasses.replace(self, psi_D=intrinsic_dimension(self.psi_D, d) / d)

    def sampler(self, d: int) -> GaussianSampler:
        """Diagonal, in the eigenbasis of M M^T."""
        if self.isometric:
            return FixedSpectrumSampler(d)
        return WishartSampler(d, bucket(intrinsic_dimension(self.psi_D, d)))

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The eigenvalues where they are fixed, else D."""
        intrinsic = intrinsic_dimension(self.psi_D, d)
        if self.isometric:
            return {"eigenvalues": (np.arange(d) < intrinsic).astype(np.float64)}
        return {"D": np.asarray(intrinsic, np.int32)}

    def ratios(self) -> Mapping[str, float]:
        """D should be a whole number."""
        return {"data.psi_D": self.psi_D}


@dataclasses.dataclass(frozen=True)
class WishartSampler(GaussianSampler):
    """The eigenvalues of M M^T / D for an M of the trial's own; M has `columns` >= D columns in store."""

    d: int
    columns: int

    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """Largest eigenvalue first; those beyond the rank are exactly 0."""
        intrinsic = inputs["D"]
        factor = embedding(key, self.d, self.columns, intrinsic).astype(jnp.float64)
        values = jnp.linalg.eigvalsh(factor @ factor.T)[::-1]
        return jnp.where(jnp.arange(self.d) < intrinsic, jnp.maximum(values, 0.0), 0.0)


def embedding(key: Array, d: int, columns: int, intrinsic: Array) -> Float[Array, "d k"]:
    """M / sqrt(D) in float32, zero in the columns beyond D."""
    m = normal_rows(key, jnp.arange(d), columns)
    keep = jnp.arange(columns) < intrinsic
    return m * keep * jax.lax.rsqrt(intrinsic.astype(jnp.float32))


def intrinsic_dimension(psi_D: float, d: int) -> int:
    """D at size d: rounded, at least 1, and below d where psi_D is below 1."""
    intrinsic = max(1, round(psi_D * d))
    return min(intrinsic, max(1, d - 1)) if psi_D < 1 else intrinsic


def check_intrinsic_ratio(psi_D: float) -> float:
    """psi_D as a positive number."""
    return check_number("data.psi_D", psi_D, above=0)
