"""The compiled half of a score network: all that trials, evaluators and kernels ask about its features.

A network is B f(x_t), d x p times p. Whatever f is, training regresses -z on f, so U = <f f^T> and V = <f
z^T> over the training pairs say everything about it. A map knows f, the averages of f f^T and f z^T that have
closed forms, and what a trial fixes before it trains (`State`: a first layer, say).
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array, Float, Int

from simdiff.data.base import DiagonalSampler, Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.problems.denoising.evaluation import FreshMoments
from simdiff.problems.denoising.gaussian_features import SplitMoments
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.pairs import Pairs
from simdiff.problems.denoising.shape import Shape

State = Any
"""What one trial fixes before it trains; a pytree."""


class FeatureMap(abc.ABC):
    """Hashable, pure JAX. Everything it returns has the type of its state."""

    linear: ClassVar[bool]
    """Whether f is affine in x_t: then `population` holds for all data with a diagonal covariance."""

    average_note: ClassVar[str]
    """How m = infinity is simulated, for a reader of the results."""

    @abc.abstractmethod
    def stored_width(self, p: int, fine: bool) -> int:
        """Columns in store for p features; those beyond p are zero. `fine`: few, at a program for each p."""

    @abc.abstractmethod
    def average_terms(self, d: int) -> int:
        """Gram matrices that `noise_average` adds up at size d."""

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
        """F of noisy samples."""

    @abc.abstractmethod
    def targets(self, state: State, z: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """What B f is to predict minus of, for noise z."""

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
    ) -> FreshMoments | SplitMoments:
        """Averages over fresh data and noise; `sampler` is a `GaussianSampler` unless the map is `linear`.

        Devices share the columns of a map that is not linear only.
        """

    @abc.abstractmethod
    def step_scale(self, inputs: Mapping[str, Any]) -> Float[Array, ""]:
        """B over the matrix in whose entries optimisers step."""
