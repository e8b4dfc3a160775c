"""What every trial of denoising score matching shares: draws, features and the averages over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.random_numbers import normal_rows
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.problems.denoising import evaluation, gram, measurement
from simdiff.problems.denoising.arithmetic import Arithmetic
from simdiff.problems.denoising.block import Block
from simdiff.problems.denoising.feature_map import FeatureMap
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.measurement import Measurements
from simdiff.problems.denoising.pairs import Pairs, make_pairs, noisy
from simdiff.problems.denoising.shape import Shape
from simdiff.problems.denoising.training_path import TrainingPath
from simdiff.problems.denoising.trial_map import State, TrialMap

_LONG = 1536
"""Features from which a trial takes long."""

Rows = Callable[[Array], Block]
"""`rows(index)` gives features and targets, zero beyond the last row."""


class Setup(NamedTuple):
    """One trial's random objects; `state` is what its feature map fixes before training."""

    pairs: Pairs
    state: State


@dataclasses.dataclass(frozen=True)
class TrialProgram:
    """The functions and shapes of a trial; its methods are the steps that kernels put together."""

    shape: Shape
    sampler: Sampler
    network: TrialMap
    arithmetic: Arithmetic
    metrics: tuple[str, ...]
    measurements: Measurements = ()
    shares: RowShares = ALL_ROWS
    columns: ColumnShares = ALL_COLUMNS

    @property
    def feature_map(self) -> FeatureMap:
        """The network of a trial that is linear in what it trains."""
        assert isinstance(self.network, FeatureMap)
        return self.network

    def setup(self, key: Array, inputs: dict[str, Any]) -> Setup:
        """Draw the frame and prepare the features, of devices that share the columns their own ones."""
        pairs = make_pairs(self.sampler, key, inputs, self.shape.stored_rows)
        index = self.columns.own(self.shape.p)
        state = self.network.prepare(self.sampler, pairs, inputs, self.shape, index, self.arithmetic.product)
        return Setup(pairs, state)

    def block(self, setup: Setup, sample: Array, noise_key: Array, noise: Array, real: Array) -> Block:
        """The pairs (sample index, noise row), zero where not `real`."""
        product = self.arithmetic.product
        x_t, z = noisy(self.sampler, setup.pairs, sample, noise_key, noise, self.shape.d, product)
        return Block(self.network, setup.state, x_t, z, real.astype(product))

    def training_rows(self, setup: Setup, index: Array) -> Block:
        """Training pairs, zero beyond the n m of them."""
        pairs = setup.pairs
        real = index < pairs.n * pairs.m
        return self.block(setup, index // pairs.m, pairs.keys.noise, index, real)

    def normal(self, setup: Setup) -> Normal:
        """U, V and zz over the training pairs, or their exact noise average at m = infinity."""
        pairs, shape = setup.pairs, self.shape
        if shape.exact_noise:
            return self.feature_map.noise_average(
                self.sampler, pairs, setup.state, shape.block, self.shares, self.columns
            )
        return self.accumulate(lambda index: self.training_rows(setup, index), pairs.n * pairs.m)

    def accumulate(self, rows: Rows, count: Array) -> Normal:
        """U, V and zz over `count` rows."""
        return gram.accumulate(rows, count, self.shape.block, self.shares, self.columns)

    def fresh_rows(self, setup: Setup, index: Array) -> Block:
        """Fresh samples with fresh noise."""
        pairs = setup.pairs
        product = self.arithmetic.product
        x = self.sampler.sample(pairs.keys.test_samples, pairs.frame, index).astype(product)
        z = normal_rows(pairs.keys.test_noise, index, self.shape.d).astype(product)
        x_t = pairs.a.astype(product) * x + jnp.sqrt(pairs.h).astype(product) * z
        return Block(self.network, setup.state, x_t, z, jnp.ones(len(index), product))

    def memorization_rows(self, setup: Setup) -> tuple[Rows, Array]:
        """Training samples with fresh noise: at least 4 d rows, the same number for each sample."""
        pairs = setup.pairs
        draws = -(-4 * self.shape.d // pairs.n)

        def rows(index: Array) -> Block:
            real = index < pairs.n * draws
            return self.block(setup, index // draws, pairs.keys.fresh_noise, index, real)

        return rows, pairs.n * draws

    def test_rows(self, setup: Setup) -> tuple[Rows, Array]:
        """Fresh samples with fresh noise: 4 d rows."""
        count = jnp.asarray(4 * self.shape.d)

        def rows(index: Array) -> Block:
            fresh = self.fresh_rows(setup, index)
            return fresh.only((index < count).astype(fresh.z.dtype))

        return rows, count

    def streamed_error(self, rows: Rows, count: Array, b: Float[Array, "d p"]) -> Float[Array, ""]:
        """(1/d) <||z + B f||^2> over `count` rows."""
        return evaluation.streamed_error(rows, b, count, self.shape.fresh_block, self.shares, self.columns)

    @property
    def runs_long(self) -> bool:
        """Whether the trials of one verdict take longer than compiling them: half a second each and more."""
        return self.shape.p >= _LONG

    def shared(self, devices: int) -> TrialProgram:
        """The trial with its rows shared by that many devices."""
        return dataclasses.replace(self, shares=RowShares(devices))

    def split(self, devices: int) -> TrialProgram:
        """The trial with its features, and so the columns of U, split over that many devices."""
        return dataclasses.replace(self, columns=ColumnShares(devices))

    def measured(self, setup: Setup, b: Float[Array, "d p"]) -> dict[str, Array]:
        """{metric: scalar}: what is measured on the network itself."""
        return measurement.measured(self.measurements, self, setup, b)

    def measured_along(self, setup: Setup, path: TrainingPath) -> dict[str, Array]:
        """{metric: (times,)}: the same along a path."""
        return measurement.measured_along(self.measurements, self, setup, path)

    def chosen(self, metrics: dict[str, Array]) -> dict[str, Array]:
        """Those that the problem lists; compilers drop what only the others needed."""
        return {name: metrics[name] for name in self.metrics}
