"""The compiled half of a network B f(x_t), d x p times p: all that trials, evaluators and kernels ask of f.

Whatever f is, training regresses -z on f, so U = <f f^T> and V = <f z^T> over the training pairs say
everything about it. A map knows f, the averages of f f^T and f z^T that have closed forms, and what a trial
fixes before it trains (`State`: a first layer, say).
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array, Float

from simdiff.data.base import DiagonalSampler, Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.problem import Kernel
from simdiff.problems.denoising import effort
from simdiff.problems.denoising.dispatch import trial_kernel
from simdiff.problems.denoising.evaluation import Moments
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.pairs import Pairs
from simdiff.problems.denoising.trial_map import State, TrialMap


class FeatureMap(TrialMap):
    """`features` are f, in columns, and training is linear in them."""

    linear: ClassVar[bool]
    second_layer: ClassVar[bool] = True
    """Whether f is affine in x_t: then `population` holds for all data with a diagonal covariance."""

    @abc.abstractmethod
    def average_terms(self, d: int) -> int:
        """Gram matrices that `noise_average` adds up at size d."""

    @abc.abstractmethod
    def noise_average(
        self,
        sampler: Sampler,
        pairs: Pairs,
        state: State,
        block: int,
        shares: RowShares = ALL_ROWS,
        columns: ColumnShares = ALL_COLUMNS,
    ) -> Normal:
        """The normal equations at m = infinity, given the samples; shared as by `gram.accumulate`."""

    @abc.abstractmethod
    def fresh_moments(
        self, sampler: DiagonalSampler, pairs: Pairs, state: State, columns: ColumnShares
    ) -> Moments:
        """Averages over fresh data and noise; `sampler` is a `GaussianSampler` unless the map is `linear`.

        Devices share the columns of a map that is not linear only.
        """

    @abc.abstractmethod
    def step_scale(self, inputs: Mapping[str, Any]) -> Float[Array, ""]:
        """B over the matrix in whose entries optimisers step."""

    def kernel(
        self, problem: Any, d: int, program: Any, inputs: dict[str, Any]
    ) -> tuple[Kernel, dict[str, Any]]:
        """The trainer's."""
        return trial_kernel(problem.trainer, problem, d, program, inputs)

    def memory(self, problem: Any, d: int, columns: ColumnShares) -> int:
        """That of the matrices."""
        return effort.memory(problem, d, self, columns)

    def cost(self, problem: Any, d: int) -> float:
        """That of the products and of the solve."""
        return effort.cost(problem, d, self)

    def padded_cost(self, problem: Any, d: int) -> float:
        """The same with features that are padding."""
        return effort.cost(problem, d, self, padded=True)
