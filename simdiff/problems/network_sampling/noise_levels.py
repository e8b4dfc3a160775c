"""Diffusion times that a network is trained at: their law, and how much errors at each count."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import integer_rows, uniform_rows

LAWS = ("levels", "uniform", "log_uniform")
WEIGHTS = ("noise", "score", "data")


class Level(NamedTuple):
    """x_t = a x + root z at time t; weight is that of the squared error of z."""

    t: Array
    a: Array
    root: Array
    weight: Array


@dataclasses.dataclass(frozen=True)
class NoiseLevels:
    """A law of times on [least, most], or on the schedule's own levels.

    weight: what is squared in the loss, the error of the noise, of the score or of the data.
    """

    law: str
    weight: str

    def draw(self, key: Array, rows: Array, levels: Float[Array, " T"]) -> Level:
        """Independent times of the given rows; `levels` are those of the schedule, the noisiest first."""
        if self.law == "levels":
            return self.at(levels[integer_rows(key, rows, jnp.asarray(levels.size))])
        u, least, most = uniform_rows(key, rows), levels[-1], levels[0]
        if self.law == "uniform":
            return self.at(least + (most - least) * u)
        return self.at(least * (most / least) ** u)

    def at(self, t: Array) -> Level:
        """The level of these times."""
        a, h = jnp.exp(-t), -jnp.expm1(-2.0 * t)
        weight = {"noise": jnp.ones_like(h), "score": 1.0 / h, "data": h / a**2}[self.weight]
        return Level(t, a, jnp.sqrt(h), weight)
