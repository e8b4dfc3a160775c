"""Infinitely wide networks trained by gradient: kernel regression with the tangent kernel.

A trained model is f(z) = sum_i c_i k(z, z_i) over its own training draws z_i = z(x_i, t_i), exactly: no
features, no truncation. `WeightedTraining` says what the coefficients are for a ridge, a training time or
descent.

Source: arXiv 2504.12532, section 5 (lazy networks); Jacot, Gabriel and Hongler, arXiv 1806.07572.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.errors import check_choice, check_number
from simdiff.models.ensemble.score_model import TARGETS, Coordinates, Evaluate, ModelCost, ScoreModel, Span
from simdiff.models.ensemble.tangent_kernel import ACTIVATIONS, places, tangent_kernel
from simdiff.parts.registry import register

TOGETHER = 256
"""Training draws whose kernels with all samples are held at once."""


class KernelModel(NamedTuple):
    """f(z) = sum_i c_i k(z, z_i)."""

    coefficients: Float[Array, "O n"]
    places: Float[Array, "n Z"]


@register("model", "lazy_network")
@dataclasses.dataclass(frozen=True)
class LazyNetwork(ScoreModel):
    """The limit of infinite width of a one-hidden-layer network f(x, t) that starts at f = 0.

    Args:
        activation: "relu" or "erf".
        scale: the length that x is measured in.
        bias: the constant input, >= 0; 0 for a network without biases.
        target: "denoiser" or "score".

    Raises:
        InputError: an activation without a closed form, or a number out of range.
    """

    activation: str = "relu"
    scale: float = 1.0
    bias: float = 1.0
    target: str = "denoiser"

    def __post_init__(self) -> None:
        check_inputs(self)

    @property
    def grain(self) -> tuple[float, float]:
        """A tenth of the lengths of the inputs: relu networks kink, their kernel has a cusp."""
        return 0.1 * self.scale, 0.05

    def check(self, dimension: int) -> None:
        """Any dimension fits."""

    def summary(self, dimension: int) -> str:
        """Kernel and inputs."""
        return f"the models are kernel regressions with the tangent kernel of a {self.activation} network"

    def cost(self, rows: int, dimension: int, steps: int) -> ModelCost:
        """A symmetric eigenproblem, and a kernel a draw."""
        return ModelCost(8 * 5 * rows**2, 25.0 * rows**3, 40.0 * rows)

    def inputs(self, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span) -> Float[Array, "n Z"]:
        """z of every pair (x, t)."""
        return places(x, t, span, self.scale, self.bias)

    def kernel(self, z: Float[Array, "n Z"], other: Float[Array, "m Z"]) -> Float[Array, "n m"]:
        """k between inputs."""
        return tangent_kernel(self.activation, z, other)

    def expansion(self, coefficients: Float[Array, "O n"], places: Float[Array, "n Z"]) -> KernelModel:
        """The model of given coefficients at given inputs."""
        return KernelModel(coefficients, places)

    def fit(self, key: Array, pairs: Any, training: Any, span: Span) -> KernelModel:
        """Coefficients of the training draws; nothing random."""
        z = self.inputs(pairs.x, pairs.t, span)
        return KernelModel(training.kernel(self.kernel(z, z), pairs.y, pairs.weights), z)

    def values(
        self, fitted: KernelModel, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span
    ) -> Float[Array, "n O"]:
        """The sum over training draws, some hundred at a time."""
        z = self.inputs(x, t, span)

        def add(total: Array, part: KernelModel) -> tuple[Array, None]:
            return total + self.kernel(z, part.places) @ part.coefficients.T, None

        start = jnp.zeros((len(z), len(fitted.coefficients)), fitted.coefficients.dtype)
        return jax.lax.scan(add, start, _pieces(fitted))[0]

    def at(self, fitted: KernelModel, t: Float[Array, ""], span: Span) -> Evaluate:
        """The same at one time."""

        def evaluate(x: Coordinates) -> Coordinates:
            table = jnp.stack(x, axis=1)
            return tuple(self.values(fitted, table, jnp.full(len(table), t, table.dtype), span).T)

        return evaluate


def _pieces(fitted: KernelModel) -> KernelModel:
    """The draws in pieces of one size, filled with coefficients 0."""
    c, z = fitted
    size = min(TOGETHER, len(z))
    more = -len(z) % size
    c = jnp.pad(c, ((0, 0), (0, more)))
    z = jnp.pad(z, ((0, more), (0, 0)), mode="edge")
    return KernelModel(c.reshape(len(c), -1, size).swapaxes(0, 1), z.reshape(-1, size, z.shape[1]))


def check_inputs(network: Any) -> None:
    """The fields that lazy and finite networks share."""
    check_choice("model.activation", network.activation, ACTIVATIONS)
    object.__setattr__(network, "scale", check_number("model.scale", network.scale, above=0))
    object.__setattr__(network, "bias", check_number("model.bias", network.bias, least=0))
    check_choice("model.target", network.target, TARGETS)
