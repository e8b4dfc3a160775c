"""A trial of linear sampling: one training set, one eigendecomposition, everything from its modes."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import DiagonalSampler
from simdiff.engine.random_numbers import normal_rows, streams
from simdiff.problem import Kernel
from simdiff.problems.linear_chain.eigenmodes import Eigenmodes, eigenmodes
from simdiff.sampling import Limit, Steps, Training, generate, spectral_functions
from simdiff.sampling.recursion import SpectralFunctions, shrinkage

PerTime = Float[Array, " t"]


class Keys(NamedTuple):
    """One trial's independent streams."""

    frame: Array
    samples: Array
    fresh: Array
    generated: Array
    second: Array


class Trained(NamedTuple):
    """What a trial measures: the population, the training set's mean and modes, and what sampling made.

    `s` are the eigenvalues of Sigma, in whose eigenbasis all vectors are. `mean` is zero without bias.
    """

    s: Float[Array, " d"]
    mean: Float[Array, " d"]
    modes: Eigenmodes
    at: SpectralFunctions


@dataclasses.dataclass(frozen=True)
class SamplingKernel(Kernel):
    """key, inputs -> metrics; inputs: n, training, plan and the data law's arrays.

    `rows` >= n are stored; `dual` decomposes the Gram matrix of samples; `samples` are generated; with two
    `splits` a second training set is drawn; a `planted` direction is the first coordinate. The eigenmodes of
    the training set are found in the type `modes_in`, all that is made of them is in float64.
    """

    sampler: DiagonalSampler
    rows: int
    dual: bool
    bias: bool
    kl: bool
    samples: int
    splits: int = 1
    planted: bool = False
    modes_in: type = jnp.float64

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train, then measure: (times,) arrays, or scalars without early stopping."""
        keys, frame, x = self._training_set(key, inputs)
        trained = self._train(frame, *self._decompose(x, inputs["n"]), inputs["plan"], inputs["training"])
        metrics = self._measured(trained)
        if self.bias:
            metrics["mean"] = jnp.mean(_sampled_mean(trained) ** 2, axis=1)
        if self.samples:
            y = self._generated(keys.generated, trained, inputs)
            fresh = self._rows(keys.fresh, frame, inputs["n"])
            metrics["nearest_training"] = nearest(y, x, inputs["n"])
            metrics["nearest_fresh"] = nearest(y, fresh, inputs["n"])
        if self.splits == 2:
            other = self._decompose(self._rows(keys.second, frame, inputs["n"]), inputs["n"])
            metrics |= overlaps(trained, self._train(frame, *other, inputs["plan"], inputs["training"]))
        if self.planted:
            metrics |= planted(trained)
        early = inputs["training"].times is not None
        return {name: value if early else value[0] for name, value in metrics.items()}

    def _rows(self, key: Array, frame: Any, n: Array) -> Float[Array, "r d"]:
        """Samples in float64; rows from the n-th on are zero."""
        index = jnp.arange(self.rows)
        x = self.sampler.sample(key, frame, index).astype(jnp.float64)
        return jnp.where((index < n)[:, None], x, 0.0)

    def along(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Losses and divergences (ridges, times) at every one of `inputs["ridges"]`, for one training set.

        The training set is that of `__call__`; one eigendecomposition serves all.
        """
        _, frame, x = self._training_set(key, inputs)
        modes, mean = self._decompose(x, inputs["n"])

        def measure(ridge: Array) -> dict[str, Array]:
            training = inputs["training"]._replace(ridge=ridge)
            return self._measured(self._train(frame, modes, mean, inputs["plan"], training))

        return jax.lax.map(measure, inputs["ridges"])

    def _training_set(self, key: Array, inputs: dict[str, Any]) -> tuple[Keys, Any, Float[Array, "r d"]]:
        """A trial's streams, its frame and its samples."""
        keys = Keys(*streams(key, len(Keys._fields)))
        frame = self.sampler.frame(keys.frame, inputs["data"])
        return keys, frame, self._rows(keys.samples, frame, inputs["n"])

    def _train(
        self, frame: Any, modes: Eigenmodes, mean: Float[Array, " d"], plan: Steps | Limit, training: Training
    ) -> Trained:
        at = spectral_functions(plan, training, modes.values)
        return Trained(self.sampler.eigenvalues(frame), mean, modes, at)

    def _measured(self, trained: Trained) -> dict[str, PerTime]:
        return losses(trained) | (divergences(trained) if self.kl else {})

    def _decompose(self, x: Float[Array, "r d"], n: Array) -> tuple[Eigenmodes, Float[Array, " d"]]:
        """The modes of the training set's covariance, and its mean (zero without a bias)."""
        d = x.shape[1]
        mean, rank = jnp.zeros(d), jnp.minimum(n, d)
        if self.bias:
            mean, rank = jnp.sum(x, axis=0) / n, jnp.minimum(n - 1, d)
            x = jnp.where((jnp.arange(self.rows) < n)[:, None], x - mean, 0.0)
        scaled = x / jnp.sqrt(n.astype(jnp.float64))
        modes = eigenmodes(scaled.astype(self.modes_in), rank, self.dual).in_float64()
        # Samples may have a lower rank than their number allows: then a variance is zero, not rounding.
        least = (d * jnp.finfo(jnp.float64).eps + self.sampler.rounding**2) * jnp.max(modes.values)
        return modes._replace(values=jnp.where(modes.values > least, modes.values, 0.0)), mean

    def _generated(self, key: Array, trained: Trained, inputs: dict[str, Any]) -> Float[Array, "t c d"]:
        """Real samples, by the schedule's steps if it has any, taken in the eigenbasis of Sigma_hat."""
        plan, training, modes = inputs["plan"], inputs["training"], trained.modes
        values, mean = modes.coordinate_values, modes.coordinates(trained.mean)
        if plan.continuous:
            return modes.embed(_draw(key, trained, mean, self.samples))

        def denoiser(k: Array, y: Array) -> Array:
            a, h = plan.a[k], plan.h[k]
            phi, _ = shrinkage(a, h, training, values)
            return jnp.sqrt(h) * phi[:, None, :] * (y - a * mean)

        copies = (trained.at.gain.shape[0],)
        return modes.embed(generate(denoiser, Steps(*plan), key, self.samples, values.size, copies))


def losses(trained: Trained) -> dict[str, PerTime]:
    """Test, train and covariance error."""
    s, modes, at = trained.s, trained.modes, trained.at
    ones = jnp.ones_like(s)
    constant = modes.trace(ones, at.residual)
    shift = _quadratic(trained, at.slope)
    square = modes.trace(ones, at.variance**2) - 2.0 * modes.trace(s, at.variance)
    return {
        "test": constant + modes.trace(s, at.slope) + shift,
        "train": constant + modes.trace(ones, modes.values * at.slope),
        "covariance": square + jnp.mean(s**2),
    }


def divergences(trained: Trained) -> dict[str, PerTime]:
    """Both Kullback-Leibler divergences per dimension, between Gaussians."""
    s, modes, variance = trained.s, trained.modes, trained.at.variance
    ones = jnp.ones_like(s)
    ratio = modes.trace(ones, jnp.log(variance)) - jnp.mean(jnp.log(s))
    shift = jnp.mean(_sampled_mean(trained) ** 2 / s, axis=1)
    back = _quadratic(trained, trained.at.gain**2 / variance)
    return {
        "kl_sampled_target": 0.5 * (modes.trace(1.0 / s, variance) - 1.0 - ratio + shift),
        "kl_target_sampled": 0.5 * (modes.trace(s, 1.0 / variance) - 1.0 + ratio + back),
    }


def overlaps(one: Trained, other: Trained) -> dict[str, PerTime]:
    """Consistency and spread of two models that are given the same noise."""
    first, second = _noise_map(one), _noise_map(other)
    return {
        "consistency": jnp.sum(first * second, axis=(1, 2)) / jnp.sum(one.s),
        "spread": jnp.sum((first - second) ** 2, axis=(1, 2)) / one.s.size,
    }


def planted(trained: Trained) -> dict[str, PerTime]:
    """Recovery of the first coordinate, and the variance along it."""
    modes, variance = trained.modes, trained.at.variance
    sampled = jnp.where(modes.values[:-1] > 0.0, variance[:, :-1], -jnp.inf)
    first = jnp.zeros_like(trained.s).at[0].set(trained.s.size / trained.s[0])
    return {
        "recovery": modes.vectors[jnp.argmax(sampled, axis=1), 0] ** 2,
        "planted_variance": modes.trace(first, variance),
    }


def _noise_map(trained: Trained) -> Float[Array, "t d d"]:
    """F(Sigma_hat)^{1/2}, dense: from the map of the modes' complement on."""
    root, vectors = jnp.sqrt(trained.at.variance), trained.modes.vectors
    beyond = jnp.zeros_like(root[:, -1:]) if trained.modes.whole else root[:, -1:]
    along = jnp.einsum("tk,ki,kj->tij", root[:, :-1] - beyond, vectors, vectors)
    return along + beyond[:, :, None] * jnp.eye(vectors.shape[1])


def nearest(y: Float[Array, "t c d"], x: Float[Array, "r d"], n: Array) -> PerTime:
    """Mean over y of min_i |y - x_i|^2 / d, over the first n rows of x."""
    squares = jnp.where(jnp.arange(x.shape[0]) < n, jnp.sum(x**2, axis=1), jnp.inf)
    distances = jnp.sum(y**2, axis=2) + jnp.min(squares - 2.0 * y @ x.T, axis=2)
    return jnp.mean(distances, axis=1) / x.shape[1]


def _sampled_mean(trained: Trained) -> Float[Array, "t d"]:
    """G(Sigma_hat) mean."""
    along = trained.modes.vectors @ trained.mean
    gain = trained.at.gain
    beyond = trained.mean - along @ trained.modes.vectors
    return (gain[:, :-1] * along) @ trained.modes.vectors + gain[:, -1:] * beyond


def _quadratic(trained: Trained, g: Float[Array, "t r"]) -> PerTime:
    """(1/d) mean^T g(Sigma_hat) mean; g may be infinite where there is no mode."""
    along = trained.modes.vectors @ trained.mean
    beyond = trained.mean - along @ trained.modes.vectors
    rest = 0.0 if trained.modes.whole else jnp.sum(beyond**2)
    weights = jnp.append(along**2, rest)
    return jnp.sum(jnp.where(weights != 0.0, weights * g, 0.0), axis=1) / trained.mean.size


def _draw(key: Array, trained: Trained, mean: Float[Array, " c"], count: int) -> Float[Array, "t n c"]:
    """Coordinates of draws from N(G mean, F): sampling without discretisation is a single step."""
    z = normal_rows(key, jnp.arange(count), mean.size).astype(jnp.float64)
    at, known = trained.at, trained.modes.vectors.shape[0]

    def spread(g: Array) -> Array:
        return jnp.concatenate(
            [g[:, :known], jnp.broadcast_to(g[:, -1:], (g.shape[0], mean.size - known))], 1
        )

    return spread(at.gain)[:, None] * mean + jnp.sqrt(spread(at.variance))[:, None] * z
