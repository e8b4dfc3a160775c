"""A one-hidden-layer network of finite width, which its lazy limit is compared with.

notation:
    f(z) = N^{-1/2} sum_i (a_i rho(w_i . z) - a0_i rho(w0_i . z)),  z as in `tangent_kernel`

a0 and w0 are the parameters at the start, standard normal, where f = 0 then. Gradients of a and w are of the
order of N^{-1/2}, so that the parameters hardly move in a wide network (NTK parametrisation).

Source: Jacot, Gabriel and Hongler, arXiv 1806.07572.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import check_integer
from simdiff.models.ensemble.lazy_network import LazyNetwork, check_inputs
from simdiff.models.ensemble.score_model import Coordinates, Evaluate, ModelCost, ScoreModel, Span
from simdiff.models.ensemble.tangent_kernel import places
from simdiff.parts.registry import register


class Units(NamedTuple):
    """Parameters of the hidden units."""

    a: Float[Array, "O N"]
    w: Float[Array, "N Z"]


class Network(NamedTuple):
    """A trained network: its units now and at the start."""

    now: Units
    start: Units


@register("model", "wide_network")
@dataclasses.dataclass(frozen=True)
class WideNetwork(ScoreModel):
    """`width` hidden units, all parameters trained by `Optax` on all draws in every step.

    Args:
        width: N. Units of a narrower network start where the first ones of a wider network do.
        activation, scale, bias, target: as of `LazyNetwork`.

    Raises:
        InputError: a width that is no positive integer, or what `LazyNetwork` refuses.
    """

    width: int = 1024
    activation: str = "relu"
    scale: float = 1.0
    bias: float = 1.0
    target: str = "denoiser"

    trainings: ClassVar[tuple[str, ...]] = ("descent", "optimiser")

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", check_integer("model.width", self.width, least=1))
        check_inputs(self)

    @property
    def limit(self) -> LazyNetwork:
        """The same for infinite width."""
        return LazyNetwork(self.activation, self.scale, self.bias, self.target)

    @property
    def grain(self) -> tuple[float, float]:
        """That of the limit."""
        return self.limit.grain

    def check(self, dimension: int) -> None:
        """Any dimension fits."""

    def summary(self, dimension: int) -> str:
        """The number of parameters."""
        return f"the models are networks of {self.width} hidden units, {2 * dimension + 2} parameters a unit"

    def cost(self, rows: int, dimension: int, steps: int) -> ModelCost:
        """Activations of all draws, and their gradients in every step."""
        units = rows * self.width
        return ModelCost(8 * 4 * units, 8.0 * steps * units * (dimension + 3), 16.0 * self.width)

    def start(self, key: Array, dimension: int, outputs: int, dtype: str) -> Units:
        """Standard normal parameters; row i of unit i depends on (key, i)."""
        drawn = normal_rows(key, jnp.arange(self.width), outputs + dimension + 2).astype(dtype)
        return Units(drawn[:, :outputs].T, drawn[:, outputs:])

    def fit(self, key: Array, pairs: Any, training: Any, span: Span) -> Network:
        """Descent from random units."""
        start = self.start(key, pairs.x.shape[1], pairs.y.shape[1], training.dtype)
        z = self._inputs(pairs.x, pairs.t, span).astype(training.dtype)
        before = self._units(start, z)
        now = training.network(lambda units: self._units(units, z) - before, start, pairs.y, pairs.weights)
        return Network(now, start)

    def values(
        self, fitted: Network, x: Float[Array, "n D"], t: Float[Array, " n"], span: Span
    ) -> Float[Array, "n O"]:
        """Now minus start."""
        z = self._inputs(x, t, span).astype(fitted.now.a.dtype)
        return self._units(fitted.now, z) - self._units(fitted.start, z)

    def at(self, fitted: Network, t: Float[Array, ""], span: Span) -> Evaluate:
        """The same at one time."""

        def evaluate(x: Coordinates) -> Coordinates:
            table = jnp.stack(x, axis=1)
            return tuple(self.values(fitted, table, jnp.full(len(table), t, table.dtype), span).T)

        return evaluate

    def _inputs(self, x: Array, t: Array, span: Span) -> Array:
        return places(x, t, span, self.scale, self.bias)

    def _units(self, units: Units, z: Float[Array, "n Z"]) -> Float[Array, "n O"]:
        """N^{-1/2} sum a rho(w . z)."""
        rho = {"relu": jax.nn.relu, "erf": jax.scipy.special.erf}[self.activation]
        return rho(z @ units.w.T) @ units.a.T * (self.width**-0.5)
