"""Trials of random features: f = rho(W x_t / sqrt d), zero in the columns that pad p."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.data.base import DiagonalSampler, GaussianSampler, Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.padding import bucket, power_of_two
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import series_length
from simdiff.models.denoising.random_features import (
    RandomFeatures,
    feature_columns,
    features,
    first_layer,
)
from simdiff.problems.denoising import noise_average
from simdiff.problems.denoising.dispatch import feature_map
from simdiff.problems.denoising.evaluation import Moments
from simdiff.problems.denoising.feature_map import FeatureMap
from simdiff.problems.denoising.gaussian_features import random_feature_moments
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.pairs import Pairs
from simdiff.problems.denoising.shape import Shape


class FirstLayer(NamedTuple):
    """W, and 1 for real features, 0 for padding."""

    weights: Float[Array, "p d"]
    keep: Float[Array, " p"]


_FEWEST, _ENOUGH = 32, 256
"""Features are padded to d at least, within these bounds. Less would make trials quicker that have fewer
features than dimensions, and cost a sweep programs, each of which takes longer to compile than hundreds of
such trials."""


@dataclasses.dataclass(frozen=True)
class RandomFeatureMap(FeatureMap):
    """Optimisers step in A = B sqrt(p / h)."""

    rho: Activation

    linear: ClassVar[bool] = False
    average_note: ClassVar[str] = (
        "m = inf: the noise average is taken exactly given samples and weights, by a Mehler series "
        "(no draws; the remaining 1/m effect is zero, the neglected terms are below 1e-6 of a metric)"
    )

    def stored_width(self, p: int, d: int, fine: bool) -> int:
        """Bucketed: one compilation serves many p."""
        return bucket(p, fine, min(_ENOUGH, power_of_two(d, _FEWEST)))

    def average_terms(self, d: int) -> int:
        """Terms of the Mehler series."""
        return series_length(d)

    def prepare(
        self,
        sampler: Sampler,
        pairs: Pairs,
        inputs: Mapping[str, Any],
        shape: Shape,
        index: Int[Array, " p"],
        dtype: type,
    ) -> FirstLayer:
        """Draw the first layer; mask the padding features."""
        weights = first_layer(pairs.keys.weights, index, shape.d).astype(dtype)
        return FirstLayer(weights, (index < inputs["p"]).astype(dtype))

    def features(self, state: FirstLayer, x_t: Float[Array, "r d"]) -> Float[Array, "r p"]:
        """Rho(W x_t / sqrt d)."""
        return features(self.rho, state.weights, x_t) * state.keep

    def feature_columns(self, state: FirstLayer, x_t: Float[Array, "r d"]) -> Float[Array, "p r"]:
        """The same, a sample in each column."""
        return feature_columns(self.rho, state.weights, x_t) * state.keep[:, None]

    def targets(self, state: FirstLayer, z: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """The noise itself."""
        return z

    def noise_average(
        self,
        sampler: Sampler,
        pairs: Pairs,
        state: FirstLayer,
        block: int,
        shares: RowShares = ALL_ROWS,
        columns: ColumnShares = ALL_COLUMNS,
    ) -> Normal:
        """A Mehler series, see `noise_average`."""
        return noise_average.average(sampler, pairs, self.rho, *state, block, shares, columns)

    def fresh_moments(
        self, sampler: DiagonalSampler, pairs: Pairs, state: FirstLayer, columns: ColumnShares
    ) -> Moments:
        """A Mehler series, too."""
        assert isinstance(sampler, GaussianSampler)
        return random_feature_moments(sampler, pairs.frame, pairs.a, pairs.h, self.rho, *state, columns)

    def step_scale(self, inputs: Mapping[str, Any]) -> Float[Array, ""]:
        """B = sqrt(h / p) A."""
        return jnp.sqrt(inputs["h"] / inputs["p"])


@feature_map.register(RandomFeatures)
def _map(model: RandomFeatures) -> RandomFeatureMap:
    return RandomFeatureMap(model.activation)
