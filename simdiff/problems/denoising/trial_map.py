"""What a program must know of a score network to make the rows of a trial, and what the trial costs.

A feature map (`feature_map`) is such a map of a network that is linear in what is trained, `network_map` that
of any other.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array, Float, Int

from simdiff.data.base import Sampler
from simdiff.engine.column_shares import ColumnShares
from simdiff.problem import Kernel
from simdiff.problems.denoising.pairs import Pairs
from simdiff.problems.denoising.shape import Shape

State = Any
"""What one trial fixes before it trains."""


class TrialMap(abc.ABC):
    """Hashable, pure JAX. Rows have the type of its state."""

    linear: ClassVar[bool]
    """Whether rows are affine in x_t and training is linear in them: then the covariance of x says it all."""

    second_layer: ClassVar[bool]
    """Whether what is trained is a matrix B from features to -z."""

    average_note: ClassVar[str]
    """How m = infinity is simulated, for a reader of the results."""

    @abc.abstractmethod
    def stored_width(self, p: int, d: int, fine: bool) -> int:
        """Columns in store for p features; those beyond p are zero. `fine`: few, at a program for each p."""

    @abc.abstractmethod
    def prepare(
        self,
        sampler: Sampler,
        pairs: Pairs,
        inputs: Mapping[str, Any],
        shape: Shape,
        index: Int[Array, " p"],
        dtype: type,
    ) -> State:
        """The state of the trial with these pairs, for the features of the given indices."""

    @abc.abstractmethod
    def features(self, state: State, x_t: Float[Array, "r d"]) -> Float[Array, "r p"]:
        """What is made of noisy samples."""

    def feature_columns(self, state: State, x_t: Float[Array, "r d"]) -> Float[Array, "p r"]:
        """The same, a sample in each column."""
        return self.features(state, x_t).T

    @abc.abstractmethod
    def targets(self, state: State, z: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """What is to be predicted minus of, for noise z."""

    @abc.abstractmethod
    def kernel(
        self, problem: Any, d: int, program: Any, inputs: dict[str, Any]
    ) -> tuple[Kernel, dict[str, Any]]:
        """The kernel of a trial of this problem and its inputs.

        Raises:
            InputError: the network cannot be trained so at this size.
        """

    @abc.abstractmethod
    def memory(self, problem: Any, d: int, columns: ColumnShares) -> int:
        """Bytes of a trial at its peak on a device that holds these columns."""

    @abc.abstractmethod
    def cost(self, problem: Any, d: int) -> float:
        """Flops of one trial."""

    def padded_cost(self, problem: Any, d: int) -> float:
        """Flops with those of padding."""
        return self.cost(problem, d)
