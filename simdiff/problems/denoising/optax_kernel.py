"""A trial with gradient training by optax, metrics recorded along the way.

notation:
    G = B (U + ridge) + V^T          half the gradient in B of d times the loss
    scale = B / A                    sqrt(h / p) for random features, 1 for a linear denoiser (A = -W)
    G / scale                        the gradient in A of L(A) d / (2 scale^2), the loss that is minimised
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import integer_rows
from simdiff.problem import Kernel
from simdiff.problems.denoising import evaluation
from simdiff.problems.denoising.block import Block
from simdiff.problems.denoising.dispatch import evaluator_of, trial_kernel
from simdiff.problems.denoising.evaluators import Evaluator
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.program import Setup, TrialProgram
from simdiff.problems.denoising.stability import check_step
from simdiff.trainers.optimizers import Optax
from simdiff.trainers.transformations import check_optimiser


@dataclasses.dataclass(frozen=True)
class OptaxKernel(Kernel):
    """key, inputs -> metrics with a leading axis of recorded steps."""

    program: TrialProgram
    trainer: Optax

    runs_long: ClassVar[bool] = True

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train from A = 0 through the recorded steps."""
        setup = self.program.setup(key, inputs)
        normal = self.program.normal(setup)
        evaluator = evaluator_of(self.program, setup)
        scale = self.program.feature_map.step_scale(inputs)
        update = self._update(self._gradient(setup, normal, inputs["ridge"]), scale)
        stops = jnp.asarray(self.trainer.times, jnp.int32)
        starts = jnp.concatenate([jnp.zeros(1, jnp.int32), stops[:-1]])

        def leg(state: tuple, ends: tuple) -> tuple[tuple, dict[str, Array]]:
            state = jax.lax.fori_loop(ends[0], ends[1], update, state)
            b = self.trainer.measured(*state).astype(jnp.float64) * scale
            return state, self._measure(setup, normal, evaluator, b, inputs["ridge"])

        shape = self.program.shape
        start = jnp.zeros((shape.d, shape.p), self.program.arithmetic.product)
        _, metrics = jax.lax.scan(leg, (start, self.trainer.optimiser.init(start)), (starts, stops))
        return metrics

    def _update(self, gradient: Callable, scale: Array) -> Callable:
        from optax import apply_updates  # late: it takes half a second, and most trials need none of it

        optimiser = self.trainer.optimiser

        def update(step: Array, state: tuple) -> tuple:
            a, memory = state
            slope = gradient(step, a * scale.astype(a.dtype)) / scale.astype(a.dtype)
            change, memory = optimiser.update(slope.astype(a.dtype), memory, a)
            return apply_updates(a, change), memory

        return update

    def _gradient(self, setup: Setup, normal: Normal, ridge: Array) -> Callable[[Array, Array], Array]:
        """`gradient(step, B)`: exact over all training pairs, or on a random batch of them."""
        regularised = ridge.astype(normal.u.dtype)
        size = self.trainer.batch
        if size is None:
            return lambda step, b: b @ normal.u + regularised * b + normal.v.T

        def on_batch(step: Array, b: Float[Array, "d p"]) -> Float[Array, "d p"]:
            f, z = self._batch(setup, step, size).as_rows()
            return (z + f @ b.T).T @ f / size + regularised * b

        return on_batch

    def _batch(self, setup: Setup, step: Array, size: int) -> Block:
        """A batch of training pairs drawn with replacement, on their own noise or on fresh noise."""
        pairs = setup.pairs
        index_key, noise_key = jax.random.split(jax.random.fold_in(pairs.keys.training, step))
        rows = jnp.arange(size)
        real = jnp.ones(size, bool)
        if self.trainer.noise == "fresh":
            sample = integer_rows(index_key, rows, pairs.n)
            return self.program.block(setup, sample, noise_key, rows, real)
        index = integer_rows(index_key, rows, pairs.n * pairs.m)
        return self.program.block(setup, index // pairs.m, pairs.keys.noise, index, real)

    def _measure(
        self, setup: Setup, normal: Normal, evaluator: Evaluator, b: Float[Array, "d p"], ridge: Array
    ) -> dict[str, Array]:
        train = memorization = evaluation.quadratic(b, normal.u, normal.v, normal.zz)
        if not self.program.shape.exact_noise:
            memorization = self.program.streamed_error(*self.program.memorization_rows(setup), b)
        metrics = {
            "train": train,
            "memorization": memorization,
            "objective": train + ridge * jnp.sum(b**2) / self.program.shape.d,
        }
        return self.program.chosen(metrics | self.program.measured(setup, b) | evaluator.errors(b))


@trial_kernel.register(Optax)
def _kernel(
    trainer: Optax, problem: Any, d: int, program: TrialProgram, inputs: dict[str, Any]
) -> tuple[Kernel, dict[str, Any]]:
    check_step(problem, d)
    check_optimiser(trainer, jax.ShapeDtypeStruct((d, program.shape.p), program.arithmetic.product))
    return OptaxKernel(program, dataclasses.replace(trainer, ridge=0.0)), inputs  # the ridge is an input
