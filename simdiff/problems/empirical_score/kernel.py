"""One trial: M backward trajectories of the exact score of a training set, looked at when times pass.

The reverse SDE with the exact score has known transitions: x_s given x_t is a mixture over training
points, each term Gaussian. So a trajectory goes from one recorded time to the next in one draw, a point
from its posterior and then the bridge between them, with no error of a time step. The probability flow is
followed in steps that are exact for a constant denoiser (those of DDIM), at the denoiser of their middle,
of equal length in log a - log sqrt(h).

Trajectories start from the law of x_t at the largest time, a training point with noise, which is what the
reverse process from infinite time has there.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.gaussian_mixture import Mixture, MixtureSampler
from simdiff.engine.random_numbers import integer_rows, normal_rows, streams, uniform_rows
from simdiff.problem import Kernel
from simdiff.problems.empirical_score.posterior import Level, Points, Sums, TrainingSet

_LAST_H = 1e-6
"""The variance of the noise at which the flow is stopped: 1e-6 of where it started."""


class Keys(NamedTuple):
    """One trial's independent streams."""

    frame: Array
    points: Array
    fresh: Array
    start: Array
    noise: Array
    blocks: Array
    draws: Array


def split_keys(key: Array) -> Keys:
    """Every stream from a trial's key."""
    return Keys(*streams(key, len(Keys._fields)))


def levels_of(times: Float[Array, "*T"]) -> Level:
    """a and h at these times."""
    return Level(jnp.exp(-times), -jnp.expm1(-2 * times))


def bridge(
    x: Float[Array, "M d"], point: Float[Array, "M d"], at: Level, to: Level, z: Float[Array, "M d"]
) -> Float[Array, "M d"]:
    """x_s given x_t = x and x_0 = point, s < t: Gaussian, drawn with the normals z."""
    ratio = at.a / to.a
    fresh = 1 - ratio**2  # of the noise between s and t
    return (to.a * fresh * point + ratio * to.h * x) / at.h + jnp.sqrt(to.h * fresh / at.h) * z


def flow_step(x: Array, denoised: Array, at: Level, to: Level) -> Array:
    """The probability flow from t to s where E[x_0 | x] does not change."""
    kept = jnp.sqrt(to.h / at.h)
    return kept * x + (to.a - at.a * kept) * denoised


def middle(at: Level, to: Level) -> Level:
    """Halfway in log(a / sqrt(h))."""
    squared = jnp.sqrt((at.a**2 / at.h) * (to.a**2 / to.h))
    return Level(jnp.sqrt(squared / (1 + squared)), 1 / (1 + squared))


@dataclasses.dataclass(frozen=True)
class EmpiricalKernel(Kernel):
    """key, inputs -> metrics at all times; inputs: n, the times, increasing, and the data law's arrays.

    `steps` of the flow between two recorded times; 0 for the reverse SDE. `stored` points are kept in memory.
    """

    points: TrainingSet
    trajectories: int
    stored: int
    steps: int
    metrics: tuple[str, ...]

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Run all trajectories backwards."""
        keys = split_keys(key)
        frame = self.points.sampler.frame(keys.frame, inputs["data"])
        training = self._set(keys.points, frame, inputs["n"])
        fresh = self._set(keys.fresh, frame, inputs["n"])
        levels = levels_of(inputs["times"][::-1])
        last = Level(jnp.sqrt(1 - _LAST_H), jnp.asarray(_LAST_H))
        to = Level(*(jnp.append(each[1:], end) for each, end in zip(levels, last, strict=True)))
        first = Level(*(each[0] for each in levels))

        def record(x: Array, at: tuple[Array, Level, Level]) -> tuple[Array, tuple]:
            number, level, target = at
            sums = self.points.look(training, x, level, jax.random.fold_in(keys.blocks, number))
            move = self._flow if self.steps else self._reverse
            moved, end = move(keys, number, training, x, sums, level, target)
            seen = self._seen(sums, level)
            if "nearest_fresh" in self.metrics:
                seen["nearest_fresh"] = self.points.least(fresh, x, level)
            return moved, (sums.nearest, end, seen)

        count = levels.a.size
        end, (nearest, drawn, seen) = jax.lax.scan(
            record, self._start(keys, training, first), (jnp.arange(count), levels, to)
        )
        last_point = self.points.look(training, end, last, keys.blocks).nearest if self.steps else drawn[-1]
        seen["collapsed"] = (nearest == last_point).astype(jnp.float64)
        return {name: jnp.mean(value, axis=1)[::-1] for name, value in seen.items() if name in self.metrics}

    def _set(self, key: Array, frame: Any, n: Array) -> Points:
        points, sampler = Points(key, frame, n, None), self.points.sampler
        if not self.stored:
            return points
        return points._replace(stored=sampler.sample(key, frame, jnp.arange(self.stored)))

    def _start(self, keys: Keys, training: Points, level: Level) -> Float[Array, "M d"]:
        rows = jnp.arange(self.trajectories)
        point = self.points.rows(training, integer_rows(keys.start, rows, training.n))
        return level.a * point.astype(jnp.float64) + jnp.sqrt(level.h) * self._normals(keys, -1)

    def _normals(self, keys: Keys, number: Any) -> Float[Array, "M d"]:
        key = jax.random.fold_in(keys.noise, jnp.asarray(number + 1))
        return normal_rows(key, jnp.arange(self.trajectories), self.points.d).astype(jnp.float64)

    def _seen(self, sums: Sums, level: Level) -> dict[str, Array]:
        """What every trajectory shows at a time."""
        return {
            "clone_agreement": jnp.sum(sums.class_probabilities**2, axis=1),
            "excess_entropy": sums.entropy / self.points.d,
            "nearest_training": -2 * level.h * sums.top / self.points.d,
        }

    def _reverse(
        self, keys: Keys, number: Array, training: Points, x: Array, sums: Sums, at: Level, to: Level
    ) -> tuple[Array, Array]:
        """The next x, and the point that it was drawn towards."""
        key = jax.random.fold_in(keys.draws, number)
        index, point = self.points.draw(training, x, at, sums.block, key)
        return bridge(x, point, at, to, self._normals(keys, number)), index.astype(jnp.int32)

    def _flow(
        self, keys: Keys, number: Array, training: Points, x: Array, sums: Sums, at: Level, to: Level
    ) -> tuple[Array, Array]:
        """The next x after `steps` steps."""
        logs = jnp.linspace(_log_ratio(at), _log_ratio(to), self.steps + 1)

        def step(x: Array, ends: tuple[Array, Array]) -> tuple[Array, None]:
            start, end = (_at_log_ratio(value) for value in ends)
            half = middle(start, end)
            inside = flow_step(x, self.points.look(training, x, start, keys.blocks).denoised, start, half)
            denoised = self.points.look(training, inside, half, keys.blocks).denoised
            return flow_step(x, denoised, start, end), None

        return jax.lax.scan(step, x, (logs[:-1], logs[1:]))[0], sums.nearest


def _log_ratio(level: Level) -> Array:
    return jnp.log(level.a) - 0.5 * jnp.log(level.h)


def _at_log_ratio(value: Array) -> Level:
    return Level(jnp.sqrt(jax.nn.sigmoid(2 * value)), jax.nn.sigmoid(-2 * value))


@dataclasses.dataclass(frozen=True)
class PopulationKernel(Kernel):
    """The same for the score of the population, the limit of infinitely many points: the reverse SDE."""

    sampler: MixtureSampler
    trajectories: int

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Run all trajectories backwards."""
        keys, rows = split_keys(key), jnp.arange(self.trajectories)
        frame = self.sampler.frame(keys.frame, inputs["data"])
        levels = levels_of(inputs["times"][::-1])
        to = Level(*(jnp.append(each[1:], each[-1]) for each in levels))

        def normals(key: Array, number: Any) -> Array:
            folded = jax.random.fold_in(key, jnp.asarray(number + 1))
            return normal_rows(folded, rows, self.sampler.d).astype(jnp.float64)

        def record(x: Array, at: tuple[Array, Level, Level]) -> tuple[Array, Array]:
            number, level, target = at
            p = frame.noised(*level).class_probabilities(x)
            u = uniform_rows(jax.random.fold_in(keys.draws, number), rows)
            point = _posterior_point(frame, x, p, level, u, normals(keys.fresh, number))
            return bridge(x, point, level, target, normals(keys.noise, number)), jnp.mean(jnp.sum(p**2, 1))

        point = self.sampler.sample(keys.points, frame, rows).astype(jnp.float64)
        start = levels.a[0] * point + jnp.sqrt(levels.h[0]) * normals(keys.noise, -1)
        agreement = jax.lax.scan(record, start, (jnp.arange(levels.a.size), levels, to))[1]
        return {"clone_agreement": agreement[::-1]}


def _posterior_point(frame: Mixture, x: Array, p: Array, level: Level, u: Array, z: Array) -> Array:
    """x_0 given x_t = x: a class of probability p, then a Gaussian."""
    k = jnp.minimum(jnp.sum(jnp.cumsum(p, axis=1) <= u[:, None], axis=1), p.shape[1] - 1)
    mean, variance = frame.means[k], frame.variances[k]
    noised = level.a**2 * variance + level.h
    pulled = mean + level.a * variance / noised * (x - level.a * mean)
    return pulled + jnp.sqrt(variance * level.h / noised) * z
