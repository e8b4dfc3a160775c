"""A trial of any network, trained by optax, metrics recorded along the way.

The loss is (1/2) <|v(x_t) + z|^2> + (ridge/2) |theta|^2, d/2 times the loss per dimension, over all training
pairs or a batch of them; v = sqrt(h) s as in `network_map`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import integer_rows, normal_rows
from simdiff.engine.recorded_steps import RecordedSteps
from simdiff.models.denoising.network_functions import Tree
from simdiff.problem import Kernel
from simdiff.problems.denoising.dispatch import network_evaluator
from simdiff.problems.denoising.pairs import noisy, samples
from simdiff.problems.denoising.program import Setup, TrialProgram

Rows = Callable[[Array], tuple[Array, Array]]
"""`rows(index)` gives (x_t, z)."""


class Trial:
    """The functions of one trial, once its random objects are drawn."""

    def __init__(self, program: TrialProgram, setup: Setup, noise_rows: int, ridge: Array) -> None:
        """`noise_rows` of the fixed draws are kept; 0: they are drawn again when needed."""
        self.program, self.setup, self.pairs, self.ridge = program, setup, setup.pairs, ridge
        self.d, self.kind = program.shape.d, program.arithmetic.product
        self.count = self.pairs.n * self.pairs.m
        kept = jnp.arange(noise_rows)
        self._noise = normal_rows(self.pairs.keys.noise, kept, self.d) if noise_rows else None

    def predicted(self, trained: Tree, x_t: Float[Array, "r d"]) -> Float[Array, "r d"]:
        """sqrt(h) s."""
        network: Any = self.program.network
        return network.predicted(self.setup.state, trained, self.pairs, x_t)

    def rows(self, index: Array) -> tuple[Array, Array]:
        """(x_t, z) of training pairs."""
        if self._noise is None:
            return self._noisy(index // self.pairs.m, self.pairs.keys.noise, index)
        z = self._noise[jnp.minimum(index, len(self._noise) - 1)].astype(self.kind)
        x = samples(self.program.sampler, self.pairs, index // self.pairs.m).astype(self.kind)
        return self.pairs.a.astype(self.kind) * x + jnp.sqrt(self.pairs.h).astype(self.kind) * z, z

    def drawn(self, step: Array, size: int, fresh: bool) -> tuple[Array, Array]:
        """(x_t, z) of a batch drawn with replacement, on its own noise or on fresh noise."""
        index_key, noise_key = jax.random.split(jax.random.fold_in(self.pairs.keys.training, step))
        row = jnp.arange(size)
        if fresh:
            return self._noisy(integer_rows(index_key, row, self.pairs.n), noise_key, row)
        return self.rows(integer_rows(index_key, row, self.count))

    def _noisy(self, sample: Array, noise_key: Array, noise: Array) -> tuple[Array, Array]:
        return noisy(self.program.sampler, self.pairs, sample, noise_key, noise, self.d, self.kind)

    def loss(self, trained: Tree, x_t: Array, z: Array, weight: Array) -> Array:
        """(1/2) sum over rows of weight |v + z|^2."""
        return jnp.sum(weight * jnp.sum((self.predicted(trained, x_t) + z) ** 2, axis=1)) / 2

    def squared_norm(self, trained: Tree) -> Array:
        """|theta|^2."""
        return self.setup.state.squared_norm(trained)

    def penalty(self, trained: Tree) -> Array:
        """(ridge/2) |theta|^2."""
        return self.ridge.astype(self.kind) / 2 * self.squared_norm(trained)

    def whole_gradient(self, trained: Tree) -> tuple[Array, Tree]:
        """(loss, gradient) over all training pairs, block by block."""
        block = self.program.shape.block

        def add(number: Array, total: Any) -> Any:
            index = number * block + jnp.arange(block)
            weight = (index < self.count).astype(self.kind) / self.count
            found = jax.value_and_grad(self.loss)(trained, *self.rows(index), weight)
            return jax.tree.map(lambda sums, term: sums + term.astype(sums.dtype), total, found)

        start = jax.value_and_grad(self.penalty)(trained)
        return jax.lax.fori_loop(0, -(-self.count // block), add, start)

    def batch_gradient(self, trained: Tree, step: Array, size: int, fresh: bool) -> tuple[Array, Tree]:
        """(loss, gradient) over a batch."""
        x_t, z = self.drawn(step, size, fresh)
        weight = jnp.full(size, 1.0 / size, x_t.dtype)
        return jax.value_and_grad(lambda now: self.loss(now, x_t, z, weight) + self.penalty(now))(trained)

    def squares(self, trained: Tree, rows: Rows, count: Array) -> Float[Array, ""]:
        """(1/d) <|v + z|^2> over `count` rows (x_t, z)."""
        shape = self.program.shape

        def add(number: Array, total: Array) -> Array:
            index = number * shape.block + jnp.arange(shape.block)
            x_t, z = rows(index)
            each = jnp.sum((self.predicted(trained, x_t) + z).astype(jnp.float64) ** 2, axis=1)
            return total + jnp.sum(jnp.where(index < count, each, 0.0))

        total = jax.lax.fori_loop(0, -(-count // shape.block), add, jnp.zeros((), jnp.float64))
        return total / (count.astype(jnp.float64) * shape.d)


@dataclasses.dataclass(frozen=True)
class NetworkKernel(Kernel):
    """key, inputs -> metrics with a leading axis of recorded steps."""

    program: TrialProgram
    trainer: Any
    noise_rows: int

    runs_long: ClassVar[bool] = True

    @property
    def resumable_steps(self) -> int:
        """All of them."""
        return self.trainer.steps_taken

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train from the start through the recorded steps."""
        return self._recorded(key, inputs).whole()

    def window(self, key: Array, inputs: dict[str, Any], state: Any, first: Any, last: Any) -> tuple:
        """What is drawn before training is drawn again in every window."""
        return self._recorded(key, inputs).window(state, first, last)

    def _recorded(self, key: Array, inputs: dict[str, Any]) -> RecordedSteps:
        setup = self.program.setup(key, inputs)
        trial = Trial(self.program, setup, self.noise_rows, inputs["ridge"])
        evaluator = network_evaluator(self.program.sampler, trial)
        start = setup.state.trained
        state = start, self.trainer.optimiser.init(start), jnp.zeros((), jnp.int32)
        measure = functools.partial(self._measure, trial, evaluator)
        return RecordedSteps(state, self._update(trial), measure, self.trainer.times)

    def _update(self, trial: Trial) -> Callable:
        from optax import apply_updates  # late: it takes half a second, and most trials need none of it

        optimiser, size = self.trainer.optimiser, self.trainer.batch

        def update(step: Array, state: tuple) -> tuple:
            trained, memory, diverged = state
            if size is None:
                loss, slope = trial.whole_gradient(trained)
            else:
                loss, slope = trial.batch_gradient(trained, step, size, self.trainer.fresh_noise)
            change, memory = optimiser.update(slope, memory, trained)
            first = (diverged == 0) & ~jnp.isfinite(loss)
            diverged = jnp.where(first, step.astype(jnp.int32) + 1, diverged)
            return apply_updates(trained, change), memory, diverged

        return update

    def _measure(self, trial: Trial, evaluator: Callable, state: tuple) -> dict[str, Array]:
        *now, diverged = state
        trained = self.trainer.measured(*now)
        rows, count = self.program.memorization_rows(trial.setup)
        memorization = trial.squares(trained, lambda index: rows(index).as_rows(), count)
        train = memorization
        if not self.program.shape.exact_noise:
            train = trial.squares(trained, *self._training(trial))
        metrics = {
            "train": train,
            "memorization": memorization,
            "objective": train + trial.ridge * trial.squared_norm(trained).astype(jnp.float64) / trial.d,
            "diverged": diverged.astype(jnp.float64),
        }
        return self.program.chosen(metrics | evaluator(trained))

    def _training(self, trial: Trial) -> tuple[Rows, Array]:
        return trial.rows, trial.count
