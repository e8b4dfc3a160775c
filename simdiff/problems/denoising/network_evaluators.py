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
from simdiff.data.hidden_manifold import HiddenManifoldSampler
from simdiff.models.denoising.network_functions import Tree
from simdiff.problems.denoising.dispatch import network_evaluator
from simdiff.problems.denoising.manifold_evaluator import KnownScore

Errors = Callable[[Tree], dict[str, Array]]


def fresh_mean(trial: Any, each: Callable[[Array, Array], Float[Array, "r d"]]) -> Float[Array, " d"]:
    """The mean of `each(x_t, z)` over fresh pairs, direction by direction."""
    program = trial.program
    count, block, d = program.network.fresh_points(program.shape.d), program.shape.block, program.shape.d

    def add(number: Array, total: Array) -> Array:
        index = number * block + jnp.arange(block)
        _, z, x_t = program.fresh_rows(trial.setup, index)
        found = each(x_t, z).astype(jnp.float64)
        return total + jnp.sum(jnp.where((index < count)[:, None], found, 0.0), axis=0)

    return jax.lax.fori_loop(0, -(-count // block), add, jnp.zeros(d, jnp.float64)) / count


@network_evaluator.register(Sampler)
def _on_samples(sampler: Sampler, trial: Any) -> Errors:
    def errors(trained: Tree) -> dict[str, Array]:
        squares = fresh_mean(trial, lambda x_t, z: (trial.predicted(trained, x_t) + z) ** 2)
        return {"test": jnp.mean(squares)}

    return errors


@network_evaluator.register(GaussianSampler)
def _against_the_score(sampler: GaussianSampler, trial: Any) -> Errors:
    pairs = trial.pairs
    variance = pairs.a**2 * sampler.eigenvalues(pairs.frame) + pairs.h
    floor, inside = 1.0 - pairs.h / variance, sampler.inside(pairs.frame).astype(jnp.float64)

    def errors(trained: Tree) -> dict[str, Array]:
        def off(x_t: Array, z: Array) -> Array:
            exact = (jnp.sqrt(pairs.h) / variance).astype(x_t.dtype) * x_t  # minus sqrt(h) grad log P_t
            return (trial.predicted(trained, x_t) + exact) ** 2

        lost = fresh_mean(trial, off)
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
