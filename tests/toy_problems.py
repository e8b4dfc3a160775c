"""Problems of a few numbers a trial: they compile in no time and their limits are known."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

import simdiff


@dataclasses.dataclass(frozen=True)
class Mean(simdiff.Problem):
    """`value` has mean level + slope / d and standard deviation spread; `twice` is 2 `value`, less noisy."""

    level: float = 2.0
    slope: float = 3.0
    spread: float = 0.05

    metrics = (simdiff.Metric("value", "a number"), simdiff.Metric("twice", "about two of it"))

    def trial(self, key, d):
        noise = self.spread * jax.random.normal(key, (2,), jnp.float64)
        value = self.level + self.slope / d
        return {"value": value + noise[0], "twice": 2 * value + 0.5 * noise[1]}

    def cost(self, d):
        return 1e8 * d  # batches of eight trials


@dataclasses.dataclass(frozen=True)
class Path(simdiff.Problem):
    """`value` at three times: level * time, with noise."""

    level: float = 2.0

    metrics = (simdiff.Metric("value"),)
    times = (1.0, 2.0, 4.0)

    def trial(self, key, d):
        return {
            "value": self.level * jnp.array(self.times) + 0.01 * jax.random.normal(key, (3,), jnp.float64)
        }


@dataclasses.dataclass(frozen=True)
class Fragile(Mean):
    """`Mean`, but some trials give no number."""

    share: float = 0.3

    def trial(self, key, d):
        found = super().trial(key, d)
        lost = jax.random.uniform(jax.random.fold_in(key, 1)) < self.share
        return found | {"value": jnp.where(lost, jnp.nan, found["value"])}


def mean_theory(problem):
    return {"value": problem.level, "twice": 2 * problem.level}


def wrong_theory(problem):
    return {"value": 1.01 * problem.level, "twice": 2 * problem.level}
