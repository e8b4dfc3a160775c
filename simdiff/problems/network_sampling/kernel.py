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
from simdiff.engine.recorded_steps import RecordedSteps
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


class Drawn(NamedTuple):
    """What one trial has before it trains; `start` is the network of every model."""

    keys: Keys
    sets: Sets
    fresh: Float[Array, "n d"]
    variances: Float[Array, " d"]
    start: Parameters
    plan: Steps


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

    @property
    def resumable_steps(self) -> int:
        """All of them."""
        return self.trainer.steps_taken

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train through the recorded steps, and sample at each."""
        return self._recorded(self._drawn(key, inputs), inputs).whole()

    def window(self, key: Array, inputs: dict[str, Any], state: Any, first: Any, last: Any) -> tuple:
        """Points and the network at the start are drawn again in every window."""
        return self._recorded(self._drawn(key, inputs), inputs).window(state, first, last)

    def generated(self, key: Array, inputs: dict[str, Any]) -> tuple[Sets, Float[Array, "splits count d"]]:
        """(training sets, samples after the last step): those of a call, to rounding."""
        drawn = self._drawn(key, inputs)
        state = self._recorded(drawn, inputs).last()
        return drawn.sets, self._samples(drawn, jax.vmap(self.trainer.measured)(*state[:2]))

    def _drawn(self, key: Array, inputs: dict[str, Any]) -> Drawn:
        keys = Keys(*jax.random.split(key, len(Keys._fields)))
        frame = self.sampler.frame(keys.frame, inputs["data"])
        rows = jnp.arange((self.splits + 1) * self.n)
        points = self.sampler.sample(keys.data, frame, rows).astype(jnp.float32)
        *sets, fresh = points.reshape(self.splits + 1, self.n, self.d)
        start = self.functions.start(keys.start, self.d, self.width, jnp.float32)
        variances = self._variances(frame, fresh)
        return Drawn(keys, jnp.stack(sets), fresh, variances, start, inputs["plan"])

    def _recorded(self, drawn: Drawn, inputs: dict[str, Any]) -> RecordedSteps:
        state, update = self._training(drawn, inputs["ridge"])

        def measure(state: tuple) -> dict[str, Array]:
            trained = jax.vmap(self.trainer.measured)(*state[:2])
            made = self._samples(drawn, trained)
            found = self._errors(drawn, trained)
            diverged = jnp.max(state[2]).astype(jnp.float64)
            return found | measured(made, drawn.sets, drawn.fresh, drawn.variances) | {"diverged": diverged}

        return RecordedSteps(state, update, measure, self.trainer.times)

    def _variances(self, frame: Any, fresh: Array) -> Array:
        """Of every coordinate: known, or measured on fresh points."""
        sampler: Any = self.sampler
        return sampler.eigenvalues(frame) if self.diagonal else jnp.mean(fresh**2, axis=0)

    def _training(self, drawn: Drawn, ridge: Array) -> tuple:
        """(state at the start, update): every model takes a step on the same draws."""
        from optax import apply_updates  # late: it takes half a second, and most trials need none of it

        optimiser, size, start = self.trainer.optimiser, self.trainer.batch, drawn.start

        def loss(trained: Tree, x: Array, level: Level, z: Array) -> Array:
            penalty = ridge.astype(x.dtype) / 2 * start.squared_norm(trained)
            return self.d / 2 * jnp.mean(self._squares(start, trained, x, level, z)) + penalty

        def step(number: Array, x: Array, trained: Tree, memory: Any, diverged: Array) -> tuple:
            key = jax.random.fold_in(drawn.keys.training, number)
            index, level, z = self._draw(key, size, drawn.plan)
            found, slope = jax.value_and_grad(loss)(trained, x[index], level, z)
            change, memory = optimiser.update(slope, memory, trained)
            first = (diverged == 0) & ~jnp.isfinite(found)
            return apply_updates(trained, change), memory, jnp.where(first, number + 1, diverged)

        def update(number: Array, state: tuple) -> tuple:
            return jax.vmap(lambda x, *one: step(number, x, *one))(drawn.sets, *state)

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

    def _errors(self, drawn: Drawn, trained: Tree) -> dict[str, Array]:
        """The loss without ridge on training points and on as many fresh ones, by the same draws.

        Every point has as many draws of time and noise, to within one.
        """
        rows = error_rows(self.n)
        _, level, z = self._draw(drawn.keys.errors, rows, drawn.plan)
        point = jnp.arange(rows) % self.n
        each = lambda x, model: jnp.mean(self._squares(drawn.start, model, x[point], level, z))  # noqa: E731
        train = jax.vmap(each)(drawn.sets, trained)
        test = jax.vmap(lambda model: each(drawn.fresh, model))(trained)
        return {"train": jnp.mean(train).astype(jnp.float64), "test": jnp.mean(test).astype(jnp.float64)}

    def _samples(self, drawn: Drawn, trained: Tree) -> Float[Array, "splits count d"]:
        """Samples of every model, of the same noise."""
        times = -jnp.log(drawn.plan.a)

        def noise(k: Array, x: Array) -> Array:
            level = self.levels.at(jnp.full(x.shape[1], times[k]))
            level = Level(*(each.astype(jnp.float32) for each in level))
            found = jax.vmap(lambda model, at: self._scaled_score(drawn.start, model, at, level))
            return -found(trained, x.astype(jnp.float32)).astype(x.dtype)

        return generate(noise, drawn.plan, drawn.keys.samples, self.samples, self.d, (self.splits,))
