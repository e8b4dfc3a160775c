"""Trials of any network: rows are noisy samples themselves, and the state is the network at the start.

notation:
    v(x_t) = sqrt(h) s(x_t)         what is to be minus z: `scaled_score`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.data.base import Sampler
from simdiff.engine.column_shares import ColumnShares
from simdiff.models.denoising.network import Network, fresh_points, scaled_score
from simdiff.models.denoising.network_checks import check_network
from simdiff.models.denoising.network_functions import NetworkFunctions, Parameters, Tree, outputs
from simdiff.problem import Kernel
from simdiff.problems.denoising import network_effort
from simdiff.problems.denoising.dispatch import feature_map
from simdiff.problems.denoising.network_kernel import NetworkKernel
from simdiff.problems.denoising.pairs import Pairs
from simdiff.problems.denoising.shape import Shape
from simdiff.problems.denoising.trial_map import TrialMap
from simdiff.trainers.transformations import check_optimiser


@dataclasses.dataclass(frozen=True)
class NetworkMap(TrialMap):
    """A network by its functions and what its output stands for."""

    functions: NetworkFunctions
    predicts: str

    linear: ClassVar[bool] = False
    second_layer: ClassVar[bool] = False
    average_note: ClassVar[str] = "m = inf: noise is drawn anew in every step"

    def stored_width(self, p: int, d: int, fine: bool) -> int:
        """The width itself: a wider network would be another one."""
        return p

    def prepare(
        self,
        sampler: Sampler,
        pairs: Pairs,
        inputs: Mapping[str, Any],
        shape: Shape,
        index: Int[Array, " p"],
        dtype: type,
    ) -> Parameters:
        """The parameters at the start."""
        return self.functions.start(pairs.keys.weights, shape.d, shape.p, dtype)

    def features(self, state: Parameters, x_t: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """x_t."""
        return x_t

    def targets(self, state: Parameters, z: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """The noise itself."""
        return z

    def predicted(
        self, state: Parameters, trained: Tree, pairs: Pairs, x_t: Float[Array, "r d"]
    ) -> Float[Array, "r d"]:
        """sqrt(h) s of the network with these values of what is trained."""
        a, root = pairs.a.astype(x_t.dtype), jnp.sqrt(pairs.h).astype(x_t.dtype)
        found = outputs(state, trained, x_t, -jnp.log(pairs.a).astype(x_t.dtype)).astype(x_t.dtype)
        return scaled_score(self.predicts, found, x_t, a, root)

    def fresh_points(self, d: int) -> int:
        """Points that errors on fresh data are measured on."""
        return fresh_points(d)

    def kernel(
        self, problem: Any, d: int, program: Any, inputs: dict[str, Any]
    ) -> tuple[Kernel, dict[str, Any]]:
        """Steps of the trainer's optimiser, whatever trainer it is."""
        check_optimiser(problem.trainer, check_network(self, d, program.shape.p))
        trainer = dataclasses.replace(problem.trainer, ridge=0.0)  # the ridge is an input
        return NetworkKernel(program, trainer, network_effort.stored_noise(problem, d)), inputs

    def memory(self, problem: Any, d: int, columns: ColumnShares) -> int:
        """Parameters, gradients, the optimiser's memory, and a batch with what it leaves behind."""
        check_network(self, d, problem.counts(d)[1])
        return network_effort.memory(problem, d, self)

    def cost(self, problem: Any, d: int) -> float:
        """Forwards and backwards in training, forwards where errors are measured."""
        check_network(self, d, problem.counts(d)[1])
        return network_effort.cost(problem, d, self)


@feature_map.register(Network)
def _map(model: Network) -> NetworkMap:
    return NetworkMap(model.functions, model.predicts)
