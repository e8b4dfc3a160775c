"""What every trial of the random-feature problem shares: shapes, draws and features."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Sampler
from simdiff.draws import normal_rows
from simdiff.functions.activations import Activation
from simdiff.models.random_features import features, first_layer
from simdiff.problems import evaluation, gram, noise_average
from simdiff.problems.gram import Normal
from simdiff.problems.precision import Precision
from simdiff.problems.training_pairs import Pairs, make_pairs, noisy


@dataclasses.dataclass(frozen=True)
class Shape:
    """Static shapes: all that a compiled trial depends on besides its functions.

    `p` and `rows` are bucketed; `stored_rows` is 0 when samples are drawn again block by block;
    `dual_rows` is 0 for the primal solver; `exact_noise` is m = infinity; `score_nodes` is the length of
    message passing's quadrature, 0 where the score is known in closed form.
    """

    d: int
    p: int
    block: int
    stored_rows: int
    dual_rows: int
    exact_noise: bool
    score_nodes: int = 0

    @property
    def score_points(self) -> int:
        """Test points at which message passing finds the score: their error shrinks as a trial's does."""
        return max(32, self.d // 4)


Rows = Callable[[Array], tuple[Array, Array]]
"""`rows(index)` gives (features, targets), zero beyond the last row."""


class Setup(NamedTuple):
    """One trial's random objects."""

    pairs: Pairs
    weights: Float[Array, "p d"]
    keep: Float[Array, " p"]


@dataclasses.dataclass(frozen=True)
class Trial:
    """The functions and shapes of a trial; its methods are the steps that kernels put together."""

    shape: Shape
    sampler: Sampler
    rho: Activation
    precision: Precision
    metrics: tuple[str, ...]

    def setup(self, key: Array, inputs: dict[str, Any]) -> Setup:
        """Draw the frame and the first layer; mask the padding features."""
        pairs = make_pairs(self.sampler, key, inputs, self.shape.stored_rows)
        product = self.precision.product
        weights = first_layer(pairs.keys.weights, self.shape.p, self.shape.d).astype(product)
        keep = (jnp.arange(self.shape.p) < inputs["p"]).astype(product)
        return Setup(pairs, weights, keep)

    def pair_features(
        self, setup: Setup, sample: Array, noise_key: Array, noise: Array, real: Array
    ) -> tuple[Array, Array]:
        """(features, targets) of the pairs (sample index, noise row), zero where not `real`."""
        x_t, z = noisy(self.sampler, setup.pairs, sample, noise_key, noise, setup.weights)
        mask = real.astype(z.dtype)[:, None]
        return features(self.rho, setup.weights, x_t) * setup.keep * mask, z * mask

    def training_rows(self, setup: Setup, index: Array) -> tuple[Array, Array]:
        """(features, targets) of training pairs, zero beyond the n m of them."""
        pairs = setup.pairs
        real = index < pairs.n * pairs.m
        return self.pair_features(setup, index // pairs.m, pairs.keys.noise, index, real)

    def normal(self, setup: Setup) -> Normal:
        """U, V and zz over the training pairs, or their exact noise average at m = infinity."""
        pairs, shape = setup.pairs, self.shape
        if shape.exact_noise:
            return noise_average.average(
                self.sampler, pairs, self.rho, setup.weights, setup.keep, shape.block
            )
        return self.accumulate(lambda index: self.training_rows(setup, index), pairs.n * pairs.m)

    def accumulate(self, rows: Rows, count: Array) -> Normal:
        """U, V and zz over `count` rows."""
        shape = self.shape
        return gram.accumulate(rows, count, shape.block, shape.p, shape.d, self.precision.product)

    def fresh_rows(self, setup: Setup, index: Array) -> tuple[Array, Array, Array]:
        """(features, z, x_t) of fresh samples with fresh noise."""
        pairs = setup.pairs
        product = self.precision.product
        x = self.sampler.sample(pairs.keys.test_samples, pairs.frame, index).astype(product)
        z = normal_rows(pairs.keys.test_noise, index, self.shape.d).astype(product)
        x_t = pairs.a.astype(product) * x + jnp.sqrt(pairs.h).astype(product) * z
        return features(self.rho, setup.weights, x_t) * setup.keep, z, x_t

    def memorization_rows(self, setup: Setup) -> tuple[Rows, Array]:
        """Training samples with fresh noise: at least 4 d rows, the same number for each sample."""
        pairs = setup.pairs
        draws = -(-4 * self.shape.d // pairs.n)

        def rows(index: Array) -> tuple[Array, Array]:
            real = index < pairs.n * draws
            return self.pair_features(setup, index // draws, pairs.keys.fresh_noise, index, real)

        return rows, pairs.n * draws

    def test_rows(self, setup: Setup) -> tuple[Rows, Array]:
        """Fresh samples with fresh noise: 4 d rows."""
        count = jnp.asarray(4 * self.shape.d)

        def rows(index: Array) -> tuple[Array, Array]:
            f, z, _ = self.fresh_rows(setup, index)
            real = (index < count).astype(z.dtype)[:, None]
            return f * real, z * real

        return rows, count

    def streamed_error(self, rows: Rows, count: Array, b: Float[Array, "d p"]) -> Float[Array, ""]:
        """(1/d) <||z + B f||^2> over `count` rows."""
        return evaluation.streamed_error(rows, b, count, self.shape.block)

    def chosen(self, metrics: dict[str, Array]) -> dict[str, Array]:
        """Those that the problem lists; compilers drop what only the others needed."""
        return {name: metrics[name] for name in self.metrics}


def full_precision(step: Any) -> Any:
    """Run a kernel without TF32: on NVIDIA GPUs float32 products would otherwise lose half their digits."""

    def run(self: Any, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        with jax.default_matmul_precision("float32"):
            return step(self, key, inputs)

    run.__doc__ = step.__doc__
    return run
