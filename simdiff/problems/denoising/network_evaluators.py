"""Errors of any network on fresh points, and against the exact score where it is known.

On Gaussian data test = h score + floor, direction by direction, with the floor exact and the score's error
measured: the same mean as that of |v + z|^2 with less scatter, for z is not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import GaussianSampler, Sampler
from simdiff.data.gaussian_mixture import MixtureSampler
from simdiff.data.hidden_manifold import HiddenManifoldSampler
from simdiff.models.denoising.network_functions import Tree
from simdiff.problems.denoising.dispatch import network_evaluator
from simdiff.problems.denoising.manifold_evaluator import KnownScore

Errors = Callable[[Tree], dict[str, Array]]


def fresh_mean(
    trial: Any, each: Callable[[Array, Array, Array], Float[Array, "r k"]], columns: int
) -> Float[Array, " k"]:
    """The mean of `each(index, x_t, z)` over fresh pairs, column by column."""
    program = trial.program
    count, block = program.network.fresh_points(program.shape.d), program.shape.block

    def add(number: Array, total: Array) -> Array:
        index = number * block + jnp.arange(block)
        fresh = program.fresh_rows(trial.setup, index)
        found = each(index, fresh.x_t, fresh.targets).astype(jnp.float64)
        return total + jnp.sum(jnp.where((index < count)[:, None], found, 0.0), axis=0)

    return jax.lax.fori_loop(0, -(-count // block), add, jnp.zeros(columns, jnp.float64)) / count


@network_evaluator.register(Sampler)
def _on_samples(sampler: Sampler, trial: Any) -> Errors:
    def errors(trained: Tree) -> dict[str, Array]:
        squares = fresh_mean(trial, lambda _, x_t, z: (trial.predicted(trained, x_t) + z) ** 2, trial.d)
        return {"test": jnp.mean(squares)}

    return errors


@network_evaluator.register(GaussianSampler)
def _against_the_score(sampler: GaussianSampler, trial: Any) -> Errors:
    pairs = trial.pairs
    variance = pairs.a**2 * sampler.eigenvalues(pairs.frame) + pairs.h
    floor, inside = 1.0 - pairs.h / variance, sampler.inside(pairs.frame).astype(jnp.float64)

    def errors(trained: Tree) -> dict[str, Array]:
        def off(index: Array, x_t: Array, z: Array) -> Array:
            exact = (jnp.sqrt(pairs.h) / variance).astype(x_t.dtype) * x_t  # minus sqrt(h) grad log P_t
            return (trial.predicted(trained, x_t) + exact) ** 2

        lost = fresh_mean(trial, off, trial.d)
        test = lost + floor
        return {
            "test": jnp.mean(test),
            "score": jnp.mean(lost) / pairs.h,
            "floor": sampler.floor(pairs.frame, pairs.a, pairs.h),
            "test_parallel": jnp.sum(inside * test) / jnp.sum(inside),
            "test_orthogonal": jnp.sum((1.0 - inside) * test) / jnp.sum(1.0 - inside),
        }

    return errors


@network_evaluator.register(HiddenManifoldSampler)
def _by_message_passing(sampler: HiddenManifoldSampler, trial: Any) -> Errors:
    known = KnownScore(trial.program, sampler, trial.setup)
    on_samples = _on_samples(sampler, trial)

    def errors(trained: Tree) -> dict[str, Array]:
        return on_samples(trained) | known.errors(trial.predicted(trained, known.x_t))

    return errors


@network_evaluator.register(MixtureSampler)
def _of_mixture(sampler: MixtureSampler, trial: Any) -> Errors:
    """A class without any point has error nan."""
    pairs, classes = trial.pairs, sampler.classes
    noised = pairs.frame.noised(pairs.a, pairs.h)

    def errors(trained: Tree) -> dict[str, Array]:
        def each(index: Array, x_t: Array, z: Array) -> Array:
            v = trial.predicted(trained, x_t)
            squares = jnp.mean((v + z).astype(jnp.float64) ** 2, axis=1)
            off = jnp.mean((v - jnp.sqrt(pairs.h) * noised.score(x_t)) ** 2, axis=1)
            label = sampler.labels(pairs.keys.test_samples, pairs.frame, index)
            mine = jax.nn.one_hot(label, classes, dtype=jnp.float64)
            return jnp.column_stack([off, mine * squares[:, None], mine])

        off, *parts = fresh_mean(trial, each, 1 + 2 * classes)
        shares = zip(parts[:classes], parts[classes:], strict=True)
        of_class = {f"test_class_{k}": error / share for k, (error, share) in enumerate(shares)}
        return {"test": sum(parts[:classes], jnp.zeros(())), "score": off / pairs.h} | of_class

    return errors
