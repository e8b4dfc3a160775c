"""A trial: one network trained at all noise levels on fresh draws, for each training set, and its samples.

The loss is (1/2) <weight(t) |v(x_t, t) + z|^2> + (ridge/2) |theta|^2 with v = sqrt(h) s, d/2 times the loss
per dimension. Models of several training sets have the same start, the same draws of times, noise and row
numbers, and make samples of the same noise: only their data differ.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import Sampler
from simdiff.engine.random_numbers import integer_rows, normal_rows
from simdiff.models.denoising.network import scaled_score
from simdiff.models.denoising.network_functions import NetworkFunctions, Parameters, Tree
from simdiff.problem import Kernel
from simdiff.problems.network_sampling.measured import measured
from simdiff.problems.network_sampling.noise_levels import Level, NoiseLevels
from simdiff.sampling.generate import generate
from simdiff.sampling.schedules import Steps

Sets = Float[Array, "splits n d"]

_FEWEST_ROWS = 1024


def error_rows(n: int) -> int:
    """Draws that losses are measured on: one for each point, and at least 1,024."""
    return max(n, _FEWEST_ROWS)


class Keys(NamedTuple):
    """What one trial draws."""

    frame: Array
    data: Array
    start: Array
    training: Array
    errors: Array
    samples: Array


@dataclasses.dataclass(frozen=True)
class WholeTimeKernel(Kernel):
    """key, inputs -> metrics with a leading axis of recorded steps.

    inputs: those of the data law ("data"), the schedule's steps ("plan"), "ridge".
    """

    sampler: Sampler
    functions: NetworkFunctions
    predicts: str
    trainer: Any
    levels: NoiseLevels
    d: int
    n: int
    width: int
    samples: int
    splits: int
    diagonal: bool

    runs_long: ClassVar[bool] = True

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train through the recorded steps, and sample at each."""
        keys, plan = Keys(*jax.random.split(key, len(Keys._fields))), inputs["plan"]
        frame = self.sampler.frame(keys.frame, inputs["data"])
        rows = jnp.arange((self.splits + 1) * self.n)
        points = self.sampler.sample(keys.data, frame, rows).astype(jnp.float32)
        *sets, fresh = points.reshape(self.splits + 1, self.n, self.d)
        start = self.functions.start(keys.start, self.d, self.width, jnp.float32)
        state, update = self._training(keys, jnp.stack(sets), start, plan, inputs["ridge"])
        variances = self._variances(frame, fresh)

        def leg(state: tuple, ends: tuple) -> tuple[tuple, dict[str, Array]]:
            state = jax.lax.fori_loop(ends[0], ends[1], update, state)
            trained = jax.vmap(self.trainer.measured)(*state[:2])
            made = self._samples(keys, start, trained, plan)
            found = self._errors(keys, jnp.stack(sets), fresh, start, trained, plan)
            diverged = jnp.max(state[2]).astype(jnp.float64)
            return state, found | measured(made, jnp.stack(sets), fresh, variances) | {"diverged": diverged}

        stops = jnp.asarray(self.trainer.times, jnp.int32)
        begins = jnp.concatenate([jnp.zeros(1, jnp.int32), stops[:-1]])
        return jax.lax.scan(leg, state, (begins, stops))[1]

    def _variances(self, frame: Any, fresh: Array) -> Array:
        """Of every coordinate: known, or measured on fresh points."""
        sampler: Any = self.sampler
        return sampler.eigenvalues(frame) if self.diagonal else jnp.mean(fresh**2, axis=0)

    def _training(self, keys: Keys, sets: Sets, start: Parameters, plan: Steps, ridge: Array) -> tuple:
        """(state at the start, update): every model takes a step on the same draws."""
        from optax import apply_updates  # late: it takes half a second, and most trials need none of it

        optimiser, size = self.trainer.optimiser, self.trainer.batch

        def loss(trained: Tree, x: Array, level: Level, z: Array) -> Array:
            penalty = ridge.astype(x.dtype) / 2 * start.squared_norm(trained)
            return self.d / 2 * jnp.mean(self._squares(start, trained, x, level, z)) + penalty

        def step(number: Array, x: Array, trained: Tree, memory: Any, diverged: Array) -> tuple:
            key = jax.random.fold_in(keys.training, number)
            index, level, z = self._draw(key, size, plan)
            found, slope = jax.value_and_grad(loss)(trained, x[index], level, z)
            change, memory = optimiser.update(slope, memory, trained)
            first = (diverged == 0) & ~jnp.isfinite(found)
            return apply_updates(trained, change), memory, jnp.where(first, number + 1, diverged)

        def update(number: Array, state: tuple) -> tuple:
            return jax.vmap(lambda x, *one: step(number, x, *one))(sets, *state)

        one = start.trained, optimiser.init(start.trained), jnp.zeros((), jnp.int32)
        copies = lambda leaf: jnp.broadcast_to(leaf, (self.splits, *jnp.shape(leaf)))  # noqa: E731
        return jax.tree.map(copies, one), update

    def _draw(self, key: Array, size: int, plan: Steps) -> tuple[Array, Level, Array]:
        """Row numbers, levels and noise of a batch."""
        which, when, noise = jax.random.split(key, 3)
        rows = jnp.arange(size)
        level = self.levels.draw(when, rows, -jnp.log(plan.a))
        level = Level(*(each.astype(jnp.float32) for each in level))
        return integer_rows(which, rows, jnp.asarray(self.n)), level, normal_rows(noise, rows, self.d)

    def _scaled_score(self, start: Parameters, trained: Tree, x_t: Array, level: Level) -> Array:
        """v at every row (r, d)."""
        whole = start.joined(trained)
        found = jax.vmap(lambda point, t: start.output(whole, point, t))(x_t, level.t).astype(x_t.dtype)
        return scaled_score(self.predicts, found, x_t, level.a[:, None], level.root[:, None])

    def _squares(self, start: Parameters, trained: Tree, x: Array, level: Level, z: Array) -> Array:
        """weight |v + z|^2 / d at every row."""
        x_t = level.a[:, None] * x + level.root[:, None] * z
        v = self._scaled_score(start, trained, x_t, level)
        return level.weight * jnp.mean((v + z) ** 2, axis=1)

    def _errors(
        self, keys: Keys, sets: Sets, fresh: Array, start: Parameters, trained: Tree, plan: Steps
    ) -> dict[str, Array]:
        """The loss without ridge on training points and on as many fresh ones, by the same draws.

        Every point has as many draws of time and noise, to within one.
        """
        rows = error_rows(self.n)
        _, level, z = self._draw(keys.errors, rows, plan)
        point = jnp.arange(rows) % self.n
        each = lambda x, model: jnp.mean(self._squares(start, model, x[point], level, z))  # noqa: E731
        train = jax.vmap(each)(sets, trained)
        test = jax.vmap(lambda model: each(fresh, model))(trained)
        return {"train": jnp.mean(train).astype(jnp.float64), "test": jnp.mean(test).astype(jnp.float64)}

    def _samples(self, keys: Keys, start: Parameters, trained: Tree, plan: Steps) -> Sets:
        """Samples of every model, of the same noise."""
        times = -jnp.log(plan.a)

        def noise(k: Array, x: Array) -> Array:
            level = self.levels.at(jnp.full(x.shape[1], times[k]))
            level = Level(*(each.astype(jnp.float32) for each in level))
            found = jax.vmap(lambda model, at: self._scaled_score(start, model, at, level))
            return -found(trained, x.astype(jnp.float32)).astype(x.dtype)

        return generate(noise, plan, keys.samples, self.samples, self.d, (self.splits,))
