"""One trial of a flow from few samples, in coordinates.

Nothing leaves the span of the n samples, their noises, mu and the starts, so after one Gram matrix everything
is done with coordinates: training a denoiser takes products of n x n. A vector of the span of samples, noises
and mu is a row of 2 n + 1 coordinates.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import normal_rows, streams, uniform_rows
from simdiff.problem import Kernel

_TURNS = 50
"""Turns of labels and least squares at most; a few suffice."""


class Products(NamedTuple):
    """Inner products over d: of samples, noises and mu with each other, and of starts with them."""

    gram: Float[Array, "k k"]
    starts: Float[Array, "m k"]
    squares: Float[Array, " m"]


class Denoiser(NamedTuple):
    """x -> c x + w sign(w.x); w in coordinates."""

    c: Array
    w: Float[Array, "*T k"]


@dataclasses.dataclass(frozen=True)
class FewSampleKernel(Kernel):
    """key, inputs -> metrics; inputs: sigma and ridge."""

    d: int
    n: int
    samples: int
    steps: int
    learned: bool

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train, generate, measure."""
        labels, products = self._draw(key, inputs["sigma"])
        times = jnp.linspace(0.0, 1.0, 2 * self.steps + 1)[:-1]
        train = lambda t: self._train(products.gram, labels, t, inputs["ridge"])  # noqa: E731
        denoisers = jax.lax.map(train, times)
        return self._measured(products, *self._generate(products, denoisers, times))

    def _draw(self, key: Array, sigma: Array) -> tuple[Array, Products]:
        keys = streams(key, 4)
        rows = jnp.arange(self.n)
        labels = jnp.where(uniform_rows(keys[0], rows) < 0.5, -1.0, 1.0)
        z, noise = (normal_rows(stream, rows, self.d).astype(jnp.float64) for stream in keys[1:3])
        start = normal_rows(keys[3], jnp.arange(self.samples), self.d).astype(jnp.float64)
        span = jnp.concatenate([labels[:, None] + sigma * z, noise, jnp.ones((1, self.d))])
        return labels, Products(span @ span.T / self.d, start @ span.T / self.d, jnp.mean(start**2, axis=1))

    def _train(self, gram: Array, labels: Array, t: Array, ridge: Array) -> Denoiser:
        """The minimum at time t; labels are those of sign(w.x_t) where they are learned."""
        noisy = lambda signs: self._coordinates(t * signs, (1 - t) * signs)  # noqa: E731
        n, total = self.n, self.n + ridge
        own, cross = jnp.trace(gram[:n, :n]), jnp.trace(gram[:n, n : 2 * n])
        product = t * own + (1 - t) * cross
        square = t**2 * own + 2 * t * (1 - t) * cross + (1 - t) ** 2 * jnp.trace(gram[n : 2 * n, n : 2 * n])

        def fitted(signs: Array) -> Denoiser:
            data, seen = self._coordinates(signs, 0 * signs), noisy(signs)
            c = (product - data @ gram @ seen / total) / (square - seen @ gram @ seen / total)
            return Denoiser(c, (data - c * seen) / total)

        def told(signs: Array) -> Array:
            overlap = gram @ fitted(signs).w
            return jnp.where(t * overlap[:n] + (1 - t) * overlap[n : 2 * n] >= 0, 1.0, -1.0)

        def unsettled(state: tuple[Array, Array, Array]) -> Array:
            turn, signs, last = state
            return (turn < _TURNS) & jnp.any(signs != last)

        if not self.learned:
            return fitted(labels)
        turn = lambda state: (state[0] + 1, told(state[1]), state[1])  # noqa: E731
        return fitted(jax.lax.while_loop(unsettled, turn, (jnp.asarray(0), labels, 0 * labels))[1])

    def _coordinates(self, data: Array, noise: Array) -> Float[Array, " k"]:
        return jnp.concatenate([data, noise, jnp.zeros(1)])

    def _generate(
        self, products: Products, denoisers: Denoiser, times: Array
    ) -> tuple[Array, Float[Array, "m k"]]:
        """(factor of the starts, coordinates) at t = 1; midpoint rule, which never evaluates there."""

        def velocity(state: tuple[Array, Array], denoiser: Denoiser, t: Array) -> tuple[Array, Array]:
            factor, x = state
            side = jnp.sign(factor * (products.starts @ denoiser.w) + x @ (products.gram @ denoiser.w))
            growth = (denoiser.c - 1) / (1 - t)
            return growth * factor, growth * x + side[:, None] * denoiser.w / (1 - t)

        def step(state: tuple[Array, Array], at: tuple[Denoiser, Array]) -> tuple[tuple[Array, Array], None]:
            (first, middle), (t, half) = _halves(at[0]), at[1]
            length, move = 1 / self.steps, velocity(state, first, t)
            inside = jax.tree.map(lambda x, v: x + 0.5 * length * v, state, move)
            return jax.tree.map(lambda x, v: x + length * v, state, velocity(inside, middle, half)), None

        pairs = jax.tree.map(lambda part: part.reshape(self.steps, 2, *part.shape[1:]), (denoisers, times))
        start = jnp.ones(()), jnp.zeros((self.samples, 2 * self.n + 1))
        return jax.lax.scan(step, start, pairs)[0]

    def _measured(self, products: Products, factor: Array, x: Array) -> dict[str, Array]:
        overlap = x @ products.gram[:, -1] + factor * products.starts[:, -1]
        inner = jnp.sum((x @ products.gram) * x, axis=1) + 2 * factor * jnp.sum(x * products.starts, axis=1)
        off = jnp.mean(jnp.sign(overlap)[:, None] * x, axis=0).at[-1].add(-1.0)
        return {
            "centroid_overlap": jnp.mean(jnp.abs(overlap)),
            "norm": jnp.mean(inner + factor**2 * products.squares),
            "centroid_error": off @ products.gram @ off,
        }


def _halves(denoisers: Denoiser) -> tuple[Denoiser, Denoiser]:
    return Denoiser(*(part[0] for part in denoisers)), Denoiser(*(part[1] for part in denoisers))
