"""The random-feature score network s_A(x) = (A / sqrt p) rho(W x / sqrt d), W fixed and Gaussian.

Source: George, Veiga, Macris, arXiv 2502.00336. Trials work with B = sqrt(h) A / sqrt(p), which
makes training a ridge regression of -z on the features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import check_number
from simdiff.functions.activations import Activation
from simdiff.functions.activations import activation as as_activation
from simdiff.models.denoising.base import ScoreNetwork
from simdiff.parts.registry import register


@register("model", "random_features", psi_p=4.0)
@dataclasses.dataclass(frozen=True, init=False)
class RandomFeatures(ScoreNetwork):
    """p = psi_p d random features with the given activation.

    Args:
        psi_p: features per dimension, > 0.
        activation: a built-in name, an import path "package.module:name", or a function of one
            array in JAX operations.
    """

    psi_p: float
    activation: Activation

    splits: ClassVar[bool] = True
    theory: ClassVar[str] = "gaussian_equivalence"
    path_theory: ClassVar[str] = "gradient_flow"

    def __init__(self, psi_p: float, activation: str | Callable | Activation = "tanh") -> None:
        object.__setattr__(self, "psi_p", check_number("model.psi_p", psi_p, above=0))
        object.__setattr__(self, "activation", as_activation(activation))

    def width(self, d: int) -> int:
        """p at size d: rounded, at least 1."""
        return max(1, round(self.psi_p * d))

    def at_size(self, d: int) -> RandomFeatures:
        """psi_p = p / d for the whole number p."""
        return dataclasses.replace(self, psi_p=self.width(d) / d)

    @property
    def kinks(self) -> tuple[float, ...]:
        """Those of the activation."""
        return self.activation.kinks

    def ratios(self) -> Mapping[str, float]:
        """p should be a whole number."""
        return {"model.psi_p": self.psi_p}


def first_layer(key: Array, index: Int[Array, " p"], d: int) -> Float[Array, "p d"]:
    """The given rows of W, iid N(0, I_d), in float32."""
    return normal_rows(key, index, d)


def features(rho: Activation, weights: Float[Array, "p d"], x: Float[Array, "r d"]) -> Float[Array, "r p"]:
    """rho(W x / sqrt d)."""
    return rho.fn((x @ _longer(weights).T)[:, : len(weights)] / _root(weights))


def feature_columns(
    rho: Activation, weights: Float[Array, "p d"], x: Float[Array, "r d"]
) -> Float[Array, "p r"]:
    """The same, a sample in each column."""
    return rho.fn((_longer(weights) @ x.T)[: len(weights)] / _root(weights))


def _root(weights: Float[Array, "p d"]) -> Float[Array, ""]:
    """Sqrt d."""
    return jnp.sqrt(jnp.asarray(weights.shape[1], weights.dtype))


def _longer(weights: Float[Array, "p d"]) -> Float[Array, "q d"]:
    """W with some rows of zeros, whose products nobody reads.

    XLA's CPU compiler writes rho(u) over u where both have the same shape, and does not vectorise what it
    writes in place: a tanh takes 4 ns then, and 1 ns where u has other rows, too (`benchmarks/layouts.py`).
    Eight, since products on GPUs like such multiples.
    """
    return jnp.pad(weights, ((0, 8), (0, 0)))
