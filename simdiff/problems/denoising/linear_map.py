"""Trials of the linear denoiser: f = x_t, and every average over the noise in closed form.

notation:
    f_bar, z_bar            means of x_t and z over the training pairs; zero without a bias
    m = infinity            f_bar = a mean(x), z_bar = 0,  U = a^2 Cov(x) + h,  V = sqrt(h)
    fresh data              f = x_t - f_bar, targets z - z_bar, so a network's output is -b - W x_t with
                            the best bias b = z_bar - W f_bar
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.data.base import DiagonalSampler, Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.engine.symmetric_products import Parts, half_products, joined, zeros_of
from simdiff.models.denoising.linear import Linear
from simdiff.problems.denoising.dispatch import feature_map
from simdiff.problems.denoising.evaluation import FreshMoments
from simdiff.problems.denoising.feature_map import FeatureMap
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.pairs import Pairs, noisy, samples
from simdiff.problems.denoising.shape import Shape


class Means(NamedTuple):
    """f_bar and z_bar."""

    features: Float[Array, " d"]
    targets: Float[Array, " d"]


@dataclasses.dataclass(frozen=True)
class LinearMap(FeatureMap):
    """The bias, at its best value for every W, takes the training pairs' means off features and targets."""

    bias: bool

    linear: ClassVar[bool] = True
    average_note: ClassVar[str] = "m = inf: the noise average is taken exactly given samples (no draws)"

    def stored_width(self, p: int, d: int, fine: bool) -> int:
        """Features are coordinates: none to add."""
        return p

    def average_terms(self, d: int) -> int:
        """One."""
        return 1

    def prepare(
        self,
        sampler: Sampler,
        pairs: Pairs,
        inputs: Mapping[str, Any],
        shape: Shape,
        index: Int[Array, " p"],
        dtype: type,
    ) -> Means:
        """The means that the bias takes off."""
        if not self.bias:
            return Means(jnp.zeros(shape.d, dtype), jnp.zeros(shape.d, dtype))
        mean = _mean_sample if shape.exact_noise else _mean_pair
        means = mean(sampler, pairs, shape)
        return Means(means.features.astype(dtype), means.targets.astype(dtype))

    def features(self, state: Means, x_t: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """x_t - f_bar."""
        return x_t - state.features

    def targets(self, state: Means, z: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """Z - z_bar."""
        return z - state.targets

    def noise_average(
        self,
        sampler: Sampler,
        pairs: Pairs,
        state: Means,
        block: int,
        shares: RowShares = ALL_ROWS,
        columns: ColumnShares = ALL_COLUMNS,
    ) -> Normal:
        """U = (1/n) sum (a x_i - f_bar)(a x_i - f_bar)^T + h and V = sqrt(h)."""
        kind, d = state.features.dtype, state.features.size

        def add(number: Array, total: Parts) -> Parts:
            index = number * block + jnp.arange(block)
            x = samples(sampler, pairs, index).astype(kind)
            centred = pairs.a.astype(kind) * x - state.features
            parts = half_products((centred * (index < pairs.n).astype(kind)[:, None]).T)
            return jax.tree.map(jnp.add, total, parts)

        start = zeros_of(half_products, jax.ShapeDtypeStruct((d, 1), kind))
        gram = joined(shares.total(jax.lax.fori_loop(*shares.part(-(-pairs.n // block)), add, start)))
        h, one = pairs.h.astype(kind), jnp.eye(d, dtype=kind)
        return Normal(gram / pairs.n.astype(kind) + h * one, jnp.sqrt(h) * one, jnp.ones((), jnp.float64))

    def fresh_moments(
        self, sampler: DiagonalSampler, pairs: Pairs, state: Means, columns: ColumnShares
    ) -> FreshMoments:
        """Diagonal in the eigenbasis of Sigma, where trials work, but for the means."""
        kind = state.features.dtype
        variance = pairs.a**2 * sampler.eigenvalues(pairs.frame) + pairs.h
        phi = jnp.diag(variance.astype(kind)) + jnp.outer(state.features, state.features)
        noise = jnp.sqrt(pairs.h).astype(kind) * jnp.eye(phi.shape[0], dtype=kind)
        square = 1.0 + state.targets.astype(jnp.float64) ** 2
        return FreshMoments(phi, noise + jnp.outer(state.features, state.targets), square)

    def step_scale(self, inputs: Mapping[str, Any]) -> Float[Array, ""]:
        """Optimisers step in W = -B."""
        return jnp.ones((), jnp.float64)


def _mean_sample(sampler: Sampler, pairs: Pairs, shape: Shape) -> Means:
    """a mean(x), and zero."""

    def add(number: Array, total: Array) -> Array:
        index = number * shape.block + jnp.arange(shape.block)
        x = samples(sampler, pairs, index).astype(jnp.float64)
        return total + jnp.sum(x * (index < pairs.n)[:, None], axis=0)

    zero = jnp.zeros(shape.d, jnp.float64)
    total = jax.lax.fori_loop(0, -(-pairs.n // shape.block), add, zero)
    return Means(pairs.a * total / pairs.n, zero)


def _mean_pair(sampler: Sampler, pairs: Pairs, shape: Shape) -> Means:
    """Means of x_t and z over the n m training pairs."""
    count = pairs.n * pairs.m

    def add(number: Array, total: Means) -> Means:
        index = number * shape.block + jnp.arange(shape.block)
        rows = noisy(sampler, pairs, index // pairs.m, pairs.keys.noise, index, shape.d, jnp.float64)
        real = (index < count)[:, None]
        return Means(*(sums + jnp.sum(row * real, axis=0) for sums, row in zip(total, rows, strict=True)))

    zero = jnp.zeros(shape.d, jnp.float64)
    total = jax.lax.fori_loop(0, -(-count // shape.block), add, Means(zero, zero))
    return Means(total.features / count, total.targets / count)


@feature_map.register(Linear)
def _map(model: Linear) -> LinearMap:
    return LinearMap(model.bias)
