"""One trial of ensemble sampling: draw P pairs, train one model, generate samples, measure."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.draws import normal_rows
from simdiff.models.feature_library import FeatureLibrary
from simdiff.sampling.diffusions import Diffusion
from simdiff.sampling.flow import sample_models
from simdiff.sampling.observables import sample_means
from simdiff.sampling.training_targets import Pairs, make_pairs
from simdiff.trainers.weighted_ridge import weighted_ridge


@dataclasses.dataclass(frozen=True)
class EnsembleKernel:
    """The compiled program; P up to `rows` and everything in `inputs` may differ between its uses."""

    library: FeatureLibrary
    schedule: Diffusion
    weight: str
    rows: int
    samples: int
    fresh: int
    dtype: str

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """The metrics of one model."""
        training, judging, generating = (jax.random.fold_in(key, stream) for stream in range(3))
        weights, pairs = self.train(training, inputs)
        found = {"train": self._loss(weights, pairs, inputs) / inputs["n"]}
        if self.fresh:
            fresh = draw_pairs(judging, jnp.arange(self.fresh), self.schedule, inputs, self._kind)
            found["test"] = self._loss(weights, fresh, inputs) / self.fresh
        if self.samples:
            x = self.generate(weights[None], generating, inputs)[0]
            found |= sample_means(x, inputs["points"], inputs["masses"], inputs["radius"])
        return found

    @property
    def _kind(self) -> tuple[str, str]:
        return self.library.target, self.weight

    def train(self, key: Array, inputs: dict[str, Any]) -> tuple[Float[Array, "D F"], Pairs]:
        """The trained weights, and the pairs with weights 0 beyond P."""
        index = jnp.arange(self.rows)
        pairs = draw_pairs(key, index, self.schedule, inputs, self._kind)
        pairs = pairs._replace(weights=jnp.where(index < inputs["n"], pairs.weights, 0.0))
        phi = self.library.features(pairs.x, pairs.t, inputs["span"])
        weights = weighted_ridge(phi, pairs.y, pairs.weights, inputs["n"], inputs["ridge"])
        return weights, pairs

    def generate(
        self, weights: Float[Array, "G D F"], key: Array, inputs: dict[str, Any], first: Array | int = 0
    ) -> Float[Array, "G n D"]:
        """Samples of models, in the kernel's arithmetic."""
        weights = weights.astype(self.dtype)
        return sample_models(self.library, weights, inputs["steps"], inputs["span"], key, self.samples, first)

    def _loss(self, weights: Array, pairs: Pairs, inputs: dict[str, Any]) -> Array:
        """sum l |W phi - y|^2."""
        off = self.library.features(pairs.x, pairs.t, inputs["span"]) @ weights.T - pairs.y
        return jnp.sum(pairs.weights[:, None] * off**2)


def draw_pairs(
    key: Array, rows: Int[Array, " r"], schedule: Diffusion, inputs: dict[str, Any], kind: tuple[str, str]
) -> Pairs:
    """Training pairs of the given rows: u uniform, x_0 one of the points, z normal; row by row."""

    def row(index: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, index), (2,), jnp.float64)

    u, v = jax.vmap(row)(rows).T
    edges = jnp.cumsum(inputs["masses"])
    chosen = jnp.minimum(jnp.searchsorted(edges, v, side="right"), edges.size - 1)
    width = inputs["points"].shape[1]
    z = normal_rows(jax.random.fold_in(key, jnp.uint32(0xFFFFFFFF)), rows, width).astype(jnp.float64)
    t = schedule.time(u)
    return make_pairs(inputs["points"][chosen], z, t, schedule.level(t), *kind)
