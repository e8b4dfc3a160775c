"""Averages of features over nodes: sums of phi phi^T, and quadratic forms at every node.

Two ways to the same numbers. `ProductMoments` is for features that are products, phi = f(x) tau(t), at nodes
that share their times in groups: with T times, N nodes and F = F_x F_t features it takes 2 N F_x^2 + 2 T F^2
operations where `DenseMoments`, for any features, takes 2 N F^2.

notation:
    gram(c) = sum_i c_i phi_i phi_i^T          cross(c, y) = sum_i c_i y_i phi_i^T
    quadratic(M)_i = phi_i^T M phi_i           outputs(W)_i = W phi_i
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.theory.ensemble.training_law import CHUNK, TrainingLaw
from simdiff.theory.protocols import Ensemble

PerNode = Float[np.ndarray, " n"]
Square = Float[np.ndarray, "F F"]


class Moments(abc.ABC):
    """Sums over nodes for one set of features; float64."""

    @abc.abstractmethod
    def gram(self, c: PerNode) -> Square:
        """sum c phi phi^T."""

    @abc.abstractmethod
    def cross(self, c: PerNode, y: Float[np.ndarray, "n O"]) -> Float[np.ndarray, "O F"]:
        """sum c y phi^T."""

    @abc.abstractmethod
    def quadratic(self, matrix: Square) -> PerNode:
        """phi^T M phi at every node."""

    @abc.abstractmethod
    def outputs(self, weights: Float[np.ndarray, "O F"]) -> Float[np.ndarray, "n O"]:
        """W phi at every node."""


def moments(problem: Ensemble, nodes: TrainingLaw) -> Moments:
    """The quicker of the two for a problem's features."""
    span = np.array([problem.schedule.t_min, problem.schedule.t_max])
    if hasattr(problem.model, "factors"):
        return ProductMoments(problem.model, nodes, span)
    return DenseMoments(problem.model, nodes, span)


class ProductMoments(Moments):
    """Features that are products; `library.factors(x, t, span)` gives (f(x), tau(t))."""

    def __init__(self, library: Any, nodes: TrainingLaw, span: np.ndarray) -> None:
        first = slice(None, None, nodes.per_time)
        x, t = jnp.asarray(nodes.pairs.x), jnp.asarray(nodes.pairs.t)
        f, _ = library.factors(x, t, span)
        _, tau = library.factors(x[first], t[first], span)
        self._tau = np.asarray(tau)
        self._f = np.asarray(f).reshape(len(self._tau), nodes.per_time, -1)

    @property
    def _shape(self) -> tuple[int, int]:
        return self._f.shape[2], self._tau.shape[1]

    def gram(self, c: PerNode) -> Square:
        """At every time a matrix in x, then outer products in t."""
        X, T = self._shape
        scaled = self._f * c.reshape(*self._f.shape[:2], 1)
        places = np.matmul(scaled.transpose(0, 2, 1), self._f).reshape(len(self._tau), -1)
        times = (self._tau[:, :, None] * self._tau[:, None, :]).reshape(len(self._tau), -1)
        whole = (places.T @ times).reshape(X, X, T, T)
        return whole.transpose(0, 2, 1, 3).reshape(X * T, X * T)

    def cross(self, c: PerNode, y: Float[np.ndarray, "n O"]) -> Float[np.ndarray, "O F"]:
        """As `gram`."""
        scaled = (c[:, None] * y).reshape(*self._f.shape[:2], -1)
        places = np.matmul(scaled.transpose(0, 2, 1), self._f)
        return np.einsum("kox,kt->oxt", places, self._tau).reshape(y.shape[1], -1)

    def quadratic(self, matrix: Square) -> PerNode:
        """At every time a matrix in x, of which the forms are taken."""
        X, T = self._shape
        pairs = matrix.reshape(X, T, X, T).transpose(0, 2, 1, 3).reshape(X * X, T * T)
        times = (self._tau[:, :, None] * self._tau[:, None, :]).reshape(len(self._tau), -1)
        at_time = (times @ pairs.T).reshape(-1, X, X)
        return np.einsum("kni,kni->kn", np.matmul(self._f, at_time), self._f).ravel()

    def outputs(self, weights: Float[np.ndarray, "O F"]) -> Float[np.ndarray, "n O"]:
        """At every time a function of x."""
        at_time = np.einsum("oxt,kt->kxo", weights.reshape(len(weights), *self._shape), self._tau)
        return np.matmul(self._f, at_time).reshape(-1, len(weights))


class DenseMoments(Moments):
    """Any features, evaluated anew in chunks of nodes: memory does not grow with their number."""

    def __init__(self, library: Any, nodes: TrainingLaw, span: np.ndarray) -> None:
        self._library, self._nodes, self._span = library, nodes, span

    def _chunks(self, *arrays: np.ndarray) -> Iterator[tuple[Any, ...]]:
        """(x, t, the same nodes of every array), filled up with zeros."""
        size = self._nodes.mass.size
        for start in range(0, size, CHUNK):
            part = slice(start, min(size, start + CHUNK))
            fill = CHUNK - (part.stop - part.start)
            x, t = (np.asarray(array)[part] for array in (self._nodes.pairs.x, self._nodes.pairs.t))
            yield tuple(_filled(array, fill) for array in (x, t, *(array[part] for array in arrays)))

    def gram(self, c: PerNode) -> Square:
        """By chunks."""
        parts = [_gram(self._library, x, t, self._span, part) for x, t, part in self._chunks(c)]
        return np.sum(parts, axis=0)

    def cross(self, c: PerNode, y: Float[np.ndarray, "n O"]) -> Float[np.ndarray, "O F"]:
        """By chunks."""
        scaled = c[:, None] * y
        parts = [_cross(self._library, x, t, self._span, part) for x, t, part in self._chunks(scaled)]
        return np.sum(parts, axis=0)

    def quadratic(self, matrix: Square) -> PerNode:
        """By chunks."""
        parts = [_quadratic(self._library, x, t, self._span, matrix) for x, t in self._chunks()]
        return np.concatenate(parts)[: self._nodes.mass.size]

    def outputs(self, weights: Float[np.ndarray, "O F"]) -> Float[np.ndarray, "n O"]:
        """By chunks."""
        parts = [_outputs(self._library, x, t, self._span, weights) for x, t in self._chunks()]
        return np.concatenate(parts)[: self._nodes.mass.size]


def _filled(array: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([array, np.zeros((count, *array.shape[1:]))]) if count else array


@functools.partial(jax.jit, static_argnums=0)
def _gram(library: Any, x: Array, t: Array, span: Array, c: Array) -> Array:
    phi = library.features(x, t, span)
    return phi.T @ (c[:, None] * phi)


@functools.partial(jax.jit, static_argnums=0)
def _cross(library: Any, x: Array, t: Array, span: Array, scaled: Array) -> Array:
    return scaled.T @ library.features(x, t, span)


@functools.partial(jax.jit, static_argnums=0)
def _quadratic(library: Any, x: Array, t: Array, span: Array, matrix: Array) -> Array:
    phi = library.features(x, t, span)
    return jnp.sum((phi @ matrix) * phi, axis=1)


@functools.partial(jax.jit, static_argnums=0)
def _outputs(library: Any, x: Array, t: Array, span: Array, weights: Array) -> Array:
    return library.features(x, t, span) @ weights.T
