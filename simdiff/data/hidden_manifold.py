"""Data on a random nonlinear manifold: x = sigma(M xi / sqrt(D)), D = psi_D d.

Source: George, Macris, arXiv 2603.22962. For random features x acts like a Gaussian vector,

    x ~ nu_1 M xi / sqrt(D) + nu_* eta,     nu_1 = E g sigma(g),   nu_*^2 = Var sigma(g) - nu_1^2,

eta ~ N(0, I) independent, provided that E sigma(g) = 0: a mean of x would give every feature a random
bias of its own. x itself is not Gaussian, so neither its score nor its Bayes floor follow from that.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simdiff.data.base import DataLaw, Frame, Sampler
from simdiff.data.linear_manifold import check_intrinsic_ratio, embedding, intrinsic_dimension
from simdiff.data.marchenko_pastur import RESOLVED, marchenko_pastur
from simdiff.engine.padding import bucket
from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import InputError
from simdiff.functions import Activation, activation
from simdiff.functions.hermite import hermite_moments
from simdiff.parts.registry import register
from simdiff.problem import Metric


@register("data", "hidden_manifold", psi_D=0.5)
@dataclasses.dataclass(frozen=True, init=False)
class HiddenManifold(DataLaw):
    """x = sigma(M xi / sqrt(D)) - E sigma(g), xi ~ N(0, I_D), M iid N(0, 1), new in every trial.

    Args:
        psi_D: intrinsic dimensions per dimension, > 0.
        nonlinearity: sigma: a built-in name ("tanh", "erf", "relu", "sin", "sign", ...), an import path
            "package.module:name", or a function of one array in JAX operations.
        centred: subtract E sigma(g). Without, data simulate, but the built-in theory does not apply.

    Raises:
        InputError: psi_D not positive, or a nonlinearity that is unknown, constant or not elementwise.
    """

    psi_D: float
    nonlinearity: Activation
    centred: bool

    gaussian: ClassVar[bool] = False
    random_frame: ClassVar[bool] = True
    diagnostics: ClassVar[tuple[Metric, ...]] = (
        Metric("unconverged", "test points without a score, left out", compare=False),
    )

    def __init__(
        self,
        psi_D: float = 0.5,
        nonlinearity: str | Callable | Activation = "tanh",
        centred: bool = True,
    ) -> None:
        if not isinstance(centred, bool):
            raise InputError("data.centred", centred, "true or false")
        object.__setattr__(self, "psi_D", check_intrinsic_ratio(psi_D))
        object.__setattr__(self, "nonlinearity", activation(nonlinearity, "data.nonlinearity"))
        object.__setattr__(self, "centred", centred)

    @property
    def mean(self) -> float:
        """The mean of a coordinate of x: 0 where it has been subtracted."""
        return 0.0 if self.centred else _moments(self.nonlinearity).mean

    @property
    def score_nonlinearity(self) -> Activation:  # type: ignore[override]
        """The manifold's own."""
        return self.nonlinearity

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """nu_1^2 times Marchenko-Pastur plus nu_*^2: the covariance of the equivalent Gaussian vector."""
        return self._covariance(*marchenko_pastur(self.psi_D))

    def fine_spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """The same by so many atoms that no gaps show between them."""
        return self._covariance(*marchenko_pastur(self.psi_D, RESOLVED))

    def _covariance(
        self, values: tuple[float, ...], weights: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        moments = _moments(self.nonlinearity)
        return moments.linear**2 * np.array(values) + moments.residual, np.array(weights)

    def at_size(self, d: int) -> HiddenManifold:
        """psi_D = D / d for the whole number D."""
        intrinsic = intrinsic_dimension(self.psi_D, d)
        return HiddenManifold(intrinsic / d, self.nonlinearity, self.centred)

    def sampler(self, d: int) -> HiddenManifoldSampler:
        """Draws latent variables and embeds them."""
        return HiddenManifoldSampler(d, bucket(intrinsic_dimension(self.psi_D, d)), self.nonlinearity)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """D and the constant subtracted."""
        shift = _moments(self.nonlinearity).mean if self.centred else 0.0
        return {
            "D": np.asarray(intrinsic_dimension(self.psi_D, d), np.int32),
            "shift": np.asarray(shift, np.float64),
        }

    def ratios(self) -> Mapping[str, float]:
        """D should be a whole number."""
        return {"data.psi_D": self.psi_D}


class Embedding(NamedTuple):
    """A trial's manifold: x = sigma(factor xi) - shift; the columns of `factor` beyond D are zero."""

    factor: Float[Array, "d k"]
    intrinsic: Int[Array, ""]
    shift: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class HiddenManifoldSampler(Sampler):
    """sigma(M xi / sqrt(D)) - shift."""

    d: int
    columns: int
    sigma: Activation

    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """M / sqrt(D)."""
        factor = embedding(key, self.d, self.columns, inputs["D"])
        return Embedding(factor, inputs["D"], inputs["shift"])

    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """Every row has latent variables of its own."""
        latent = normal_rows(key, rows, self.columns)
        return self.sigma.fn(latent @ frame.factor.T) - frame.shift.astype(jnp.float32)


class Moments(NamedTuple):
    """E sigma(g), nu_1 = E g sigma(g) and nu_*^2 = Var sigma(g) - nu_1^2."""

    mean: float
    linear: float
    residual: float


@functools.lru_cache(maxsize=256)
def _moments(sigma: Activation) -> Moments:
    psi, square = hermite_moments(sigma, jnp.zeros(()), jnp.ones(()), 2, _NODES)
    mean, linear = float(psi[0]), float(psi[1])
    residual = float(square) - mean**2 - linear**2
    return Moments(mean, linear, residual if residual > _ROUNDING * float(square) else 0.0)


_NODES = 200
_ROUNDING = math.sqrt(np.finfo(np.float64).eps)
"""A residual variance below this share of the second moment is the rounding of a linear sigma."""
