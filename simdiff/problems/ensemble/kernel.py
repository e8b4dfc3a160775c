"""One trial of ensemble sampling: draw P pairs, train one model, generate samples, measure."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.engine.random_numbers import normal_rows, streams
from simdiff.models.ensemble.score_model import ScoreModel
from simdiff.problem import Kernel
from simdiff.sampling.diffusions import Diffusion
from simdiff.sampling.flow import sample_models
from simdiff.sampling.observables import sample_means
from simdiff.sampling.training_targets import Pairs, make_pairs
from simdiff.trainers.base import Trainer
from simdiff.trainers.weighted_training import WeightedTraining

START = 0xFFFFFFFE
"""Stream of a network's random start, beside those of the training draws."""


@dataclasses.dataclass(frozen=True)
class EnsembleKernel(Kernel):
    """The compiled program; P up to `rows` and everything in `inputs` may differ between its uses.

    `schedule` is between any times: those in use are among the inputs.
    """

    model: ScoreModel
    schedule: Diffusion
    weight: str
    rows: int
    samples: int
    fresh: int
    dtype: str
    training: str
    trainer: Trainer | None = None

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """The metrics of one model."""
        training, judging, generating = streams(key, 3)
        fitted, pairs = self.train(training, inputs)
        found = {"train": self._loss(fitted, pairs, inputs) / inputs["n"]}
        if self.fresh:
            fresh = draw_pairs(judging, jnp.arange(self.fresh), self.schedule, inputs, self._kind)
            found["test"] = self._loss(fitted, fresh, inputs) / self.fresh
        if self.samples:
            models = jax.tree.map(lambda part: part[None], fitted)
            x = self.generate(models, generating, inputs)[0]
            found |= sample_means(x, inputs["points"], inputs["masses"], inputs["radius"])
        return found

    @property
    def _kind(self) -> tuple[str, str]:
        return self.model.target, self.weight

    def train(self, key: Array, inputs: dict[str, Any]) -> tuple[Any, Pairs]:
        """What `ScoreModel.fit` returns, and the pairs with weights 0 beyond P."""
        index = jnp.arange(self.rows)
        pairs = draw_pairs(key, index, self.schedule, inputs, self._kind)
        pairs = pairs._replace(weights=jnp.where(index < inputs["n"], pairs.weights, 0.0))
        count, ridge, time, step = (inputs[name] for name in ("n", "ridge", "time", "step"))
        training = WeightedTraining(self.training, count, ridge, time, step, self.trainer, self.dtype)
        start = jax.random.fold_in(key, jnp.uint32(START))
        return self.model.fit(start, pairs, training, inputs["span"]), pairs

    def generate(
        self, fitted: Any, key: Array, inputs: dict[str, Any], first: Array | int = 0
    ) -> Float[Array, "G n D"]:
        """Samples of models, in the kernel's arithmetic; arrays of `fitted` lead with the models."""
        fitted = jax.tree.map(lambda part: part.astype(self.dtype), fitted)
        return sample_models(self.model, fitted, inputs["steps"], inputs["span"], key, self.samples, first)

    def _loss(self, fitted: Any, pairs: Pairs, inputs: dict[str, Any]) -> Array:
        """sum l |f - y|^2."""
        off = self.model.values(fitted, pairs.x, pairs.t, inputs["span"]) - pairs.y
        return jnp.sum(pairs.weights[:, None] * off**2)


def draw_pairs(
    key: Array, rows: Int[Array, " r"], schedule: Diffusion, inputs: dict[str, Any], kind: tuple[str, str]
) -> Pairs:
    """Training pairs of the given rows: u uniform, x_0 one of the points, z normal; row by row."""

    def row(index: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, index), (2,), jnp.float64)

    schedule = schedule.between(*inputs["span"])
    u, v = jax.vmap(row)(rows).T
    edges = jnp.cumsum(inputs["masses"])
    chosen = jnp.minimum(jnp.searchsorted(edges, v, side="right"), edges.size - 1)
    width = inputs["points"].shape[1]
    z = normal_rows(jax.random.fold_in(key, jnp.uint32(0xFFFFFFFF)), rows, width).astype(jnp.float64)
    t = schedule.time(u)
    return make_pairs(inputs["points"][chosen], z, t, schedule.level(t), *kind)
