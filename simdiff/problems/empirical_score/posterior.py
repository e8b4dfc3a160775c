"""Which training point a noisy x came from: one pass over the n points, block by block.

Given x_t = x the point i has probability w_i = exp(-E_i) / sum_j exp(-E_j), E_i = |x - a x_i|^2 / (2 h):
a softmax over n, kept as running sums. Points are drawn again when they are needed unless they fit in
memory, so memory is that of a block, whatever n is. A point is drawn from w in two steps: a block with
the probability of its points (a reservoir of one, filled as blocks pass), then a point of that block.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.data.base import Frame, Sampler
from simdiff.engine.random_numbers import uniform_rows


class Level(NamedTuple):
    """x_t = a x + sqrt(h) z."""

    a: Array
    h: Array


class Points(NamedTuple):
    """The training set: rows 0..n-1 of the stream `key`; `stored` holds them where they fit, or is None."""

    key: Array
    frame: Frame
    n: Int[Array, ""]
    stored: Array | None


class Sums(NamedTuple):
    """Running sums over the points seen so far, for M places x; `top` is the largest -E, at point `nearest`.

    `mass`, `energy`, `classes` and `mean` are sums of w, w E, w per class and w x_i, all times
    exp(-top) sum_j exp(-E_j). `block` was drawn with the probability of its points.
    """

    top: Float[Array, " M"]
    nearest: Int[Array, " M"]
    mass: Float[Array, " M"]
    energy: Float[Array, " M"]
    classes: Float[Array, "M K"]
    mean: Float[Array, "M d"]
    block: Int[Array, " M"]

    @property
    def entropy(self) -> Float[Array, " M"]:
        """-sum w log w."""
        return self.top + jnp.log(self.mass) + self.energy / self.mass

    @property
    def class_probabilities(self) -> Float[Array, "M K"]:
        """The probability of the points of every class."""
        return self.classes / self.mass[:, None]

    @property
    def denoised(self) -> Float[Array, "M d"]:
        """E[x_0 | x_t]."""
        return self.mean / self.mass[:, None]


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """The functions of a training set at one size d; `product` is the type of energies, sums are float64."""

    sampler: Sampler
    d: int
    classes: int
    block: int
    product: str

    def rows(self, points: Points, index: Int[Array, " r"]) -> Float[Array, "r d"]:
        """The points of these indices."""
        if points.stored is None:
            return self.sampler.sample(points.key, points.frame, index).astype(self.product)
        return points.stored[jnp.minimum(index, points.stored.shape[0] - 1)].astype(self.product)

    def energies(
        self, points: Points, x: Float[Array, "M d"], level: Level, index: Int[Array, " r"]
    ) -> Float[Array, "M r"]:
        """|x - a x_i|^2 / (2 h), infinite beyond the last point."""
        found = self._energies(self.rows(points, index), x, level)
        return jnp.where(index < points.n, found, jnp.inf)

    def _energies(self, rows: Array, x: Array, level: Level) -> Array:
        x, moved = x.astype(self.product), level.a.astype(self.product) * rows
        square = jnp.sum(x**2, 1)[:, None] + jnp.sum(moved**2, 1) - 2 * x @ moved.T
        return jnp.maximum(square, 0.0) / (2 * level.h.astype(self.product))

    def look(self, points: Points, x: Float[Array, "M d"], level: Level, key: Array) -> Sums:
        """One pass over all points, for every row of x."""
        add = lambda number, sums: self._add(points, x, level, key, number, sums)  # noqa: E731
        return jax.lax.fori_loop(0, -(-points.n // self.block), add, self._nothing(x))

    def least(self, points: Points, x: Float[Array, "M d"], level: Level) -> Float[Array, " M"]:
        """min_i |x - a x_i|^2 / d."""

        def add(number: Array, least: Array) -> Array:
            found = self.energies(points, x, level, self._index(number))
            return jnp.minimum(least, jnp.min(found, axis=1).astype(jnp.float64))

        start = jnp.full(x.shape[0], jnp.inf)
        return 2 * level.h / self.d * jax.lax.fori_loop(0, -(-points.n // self.block), add, start)

    def draw(
        self, points: Points, x: Float[Array, "M d"], level: Level, blocks: Int[Array, " M"], key: Array
    ) -> tuple[Int[Array, " M"], Float[Array, "M d"]]:
        """Index and place of one point of each row's block, drawn from w."""

        def one(at: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            place, number, u = at
            index = self._index(number)
            rows = self.rows(points, index)
            energy = jnp.where(index < points.n, self._energies(rows, place[None], level)[0], jnp.inf)
            share = jnp.cumsum(jnp.exp(jnp.min(energy) - energy).astype(jnp.float64))
            chosen = jnp.minimum(jnp.searchsorted(share, u * share[-1], side="right"), self.block - 1)
            return index[chosen], rows[chosen].astype(jnp.float64)

        return jax.lax.map(one, (x, blocks, uniform_rows(key, jnp.arange(x.shape[0]))))

    def _index(self, number: Array) -> Int[Array, " r"]:
        return number * self.block + jnp.arange(self.block)

    def _nothing(self, x: Array) -> Sums:
        count, zero = x.shape[0], jnp.zeros(x.shape[0])
        whole = jnp.zeros(count, jnp.int32)
        classes, mean = jnp.zeros((count, self.classes)), jnp.zeros((count, self.d))
        return Sums(jnp.full(count, -jnp.inf), whole, zero, zero, classes, mean, whole)

    def _add(self, points: Points, x: Array, level: Level, key: Array, number: Array, sums: Sums) -> Sums:
        index = self._index(number)
        rows = self.rows(points, index)
        energy = jnp.where(index < points.n, self._energies(rows, x, level), jnp.inf)
        first = jnp.argmin(energy, axis=1)
        top = jnp.maximum(sums.top, -jnp.min(energy, axis=1).astype(jnp.float64))
        weight = jnp.exp(-energy - top[:, None].astype(energy.dtype))
        finite = jnp.where(jnp.isinf(energy), 0.0, energy)
        labels = jax.nn.one_hot(self.sampler.labels(points.key, points.frame, index), self.classes)
        mass = jnp.sum(weight, axis=1, dtype=jnp.float64)
        new = Sums(
            top,
            index[first].astype(jnp.int32),
            mass,
            jnp.sum(weight * finite, axis=1, dtype=jnp.float64),
            (weight @ labels.astype(weight.dtype)).astype(jnp.float64),
            (weight @ rows).astype(jnp.float64),
            jnp.full_like(sums.block, number),
        )
        u = uniform_rows(jax.random.fold_in(key, number), jnp.arange(x.shape[0]))
        return _together(sums, new, u)


def _together(old: Sums, new: Sums, u: Float[Array, " M"]) -> Sums:
    """Sums over both parts, in units of the new `top`; u decides which block is kept."""
    shrunk = jnp.exp(old.top - new.top)
    mass = old.mass * shrunk + new.mass
    return Sums(
        new.top,
        jnp.where(new.top > old.top, new.nearest, old.nearest),
        mass,
        old.energy * shrunk + new.energy,
        old.classes * shrunk[:, None] + new.classes,
        old.mean * shrunk[:, None] + new.mean,
        jnp.where(u * mass < new.mass, new.block, old.block),
    )
