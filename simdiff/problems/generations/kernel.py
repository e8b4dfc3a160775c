"""A trial of generations: every one draws from the model before, and the next model is fitted."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import DiagonalSampler
from simdiff.engine.random_numbers import normal_rows
from simdiff.engine.symmetric_products import symmetric_product
from simdiff.problem import Kernel


@dataclasses.dataclass(frozen=True)
class GenerationsKernel(Kernel):
    """key, inputs -> metrics of the last generation; inputs: ridge and the data law's arrays.

    `fresh` of `count` samples are real in every generation after the first; with `accumulate` a model is
    fitted to those of all generations.
    """

    sampler: DiagonalSampler
    count: int
    generations: int
    accumulate: bool
    fresh: int
    kl: bool

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Fit and sample, generation after generation."""
        frame = self.sampler.frame(jax.random.fold_in(key, 0), inputs["data"])
        s, ridge = self.sampler.eigenvalues(frame), inputs["ridge"]

        def generation(g: Array, fitted: Float[Array, "d d"]) -> Float[Array, "d d"]:
            drawn = normal_rows(self._key(key, g, 1), jnp.arange(self.count), s.size).astype(jnp.float64)
            x = (drawn @ _root(_sampled(fitted, ridge)))[self.fresh :]
            new = self._moment(jnp.concatenate([self._real(key, frame, g, self.fresh), x]))
            return fitted + (new - fitted) / g if self.accumulate else new

        first = self._moment(self._real(key, frame, 1, self.count))
        fitted = jax.lax.fori_loop(2, self.generations + 1, generation, first)
        return _metrics(s, _sampled(fitted, ridge), self.kl)

    def _key(self, key: Array, generation: Any, kind: int) -> Array:
        return jax.random.fold_in(key, 2 * generation + kind)

    def _real(self, key: Array, frame: Any, generation: Any, count: int) -> Float[Array, "n d"]:
        rows = self.sampler.sample(self._key(key, generation, 0), frame, jnp.arange(count))
        return rows.astype(jnp.float64)

    def _moment(self, x: Float[Array, "n d"]) -> Float[Array, "d d"]:
        return symmetric_product(x.T) / self.count


def _sampled(fitted: Float[Array, "d d"], ridge: Array) -> Float[Array, "d d"]:
    """The covariance that the reverse SDE samples from an infinite horizon."""
    return (fitted + ridge * jnp.eye(fitted.shape[0])) / (1.0 - ridge)


def _root(covariance: Float[Array, "d d"]) -> Float[Array, "d d"]:
    values, vectors = jnp.linalg.eigh(covariance)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0.0))) @ vectors.T


def _metrics(s: Float[Array, " d"], sampled: Float[Array, "d d"], kl: bool) -> dict[str, Array]:
    values = {
        "variance": jnp.trace(sampled) / jnp.sum(s),
        "covariance": (jnp.sum(sampled**2) - 2.0 * jnp.sum(jnp.diag(sampled) * s) + jnp.sum(s**2)) / s.size,
    }
    if kl:
        factor = jnp.linalg.cholesky(sampled)
        ratio = jnp.mean(2.0 * jnp.log(jnp.diag(factor)) - jnp.log(s))
        inverse = jax.scipy.linalg.solve_triangular(factor, jnp.diag(jnp.sqrt(s)), lower=True)
        values["kl_sampled_target"] = 0.5 * (jnp.mean(jnp.diag(sampled) / s) - 1.0 - ratio)
        values["kl_target_sampled"] = 0.5 * (jnp.sum(inverse**2) / s.size - 1.0 + ratio)
    return values
