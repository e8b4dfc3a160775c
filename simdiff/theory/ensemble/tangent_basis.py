"""Lazy networks as models that are linear in features: eigenfunctions of their kernel over the training law.

notation:
    k(z, z') ~ phi(z) . phi(z'),  phi(z) = k(z, Z) T            Z: landmarks, some hundred nodes
    E[l phi phi^T] = diag(s)                                    the kernel's eigenvalues, largest first

Landmarks are pivots of a Cholesky factorisation of sqrt(l) k sqrt(l) over the nodes, each drawn with
probability proportional to what the ones before leave of its diagonal; averages are over all nodes. Training
multiplies what the data say of an eigenfunction by q(s) <= horizon, so those with s horizon far below 1 carry
nothing and are left out, and twice as many landmarks as are left are enough.

Sources: Chen, Epperly, Tropp and Webber, arXiv 2207.06503 (pivots); arXiv 2504.12532, section 5.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.errors import InputError
from simdiff.theory.ensemble.training_law import TrainingLaw, training_law
from simdiff.theory.protocols import Ensemble, is_minimum

RANK = 192
LEAST = 1e-3
"""Of s horizon: eigenfunctions below would be learned to this share of their size."""

EXHAUSTED = 1e-9
"""Share of the trace at which more landmarks would add rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class TangentBasis:
    """The features of a lazy network; `lost` is the share of E l k(z, z) that they leave out."""

    network: Any
    landmarks: Float[Array, "R Z"]
    turn: Float[np.ndarray, "R F"]
    eigenvalues: Float[np.ndarray, " F"]
    lost: float

    @property
    def target(self) -> str:
        """The network's."""
        return self.network.target

    @property
    def grain(self) -> tuple[float, float]:
        """The network's."""
        return self.network.grain

    def count(self, dimension: int) -> int:
        """F."""
        return self.turn.shape[1]

    def features(self, x: Array, t: Array, span: Any) -> Float[Array, "n F"]:
        """phi at every pair (x, t)."""
        z = self.network.inputs(x, t, span)
        return self.network.kernel(z, jnp.asarray(self.landmarks, z.dtype)) @ self.turn

    def at(self, weights: Float[Array, "O F"], t: Array, span: Any) -> Any:
        """W phi at one time: a sum over landmarks, with coefficients summed in float64."""
        coefficients = (weights @ self.turn.T).astype(weights.dtype)
        landmarks = jnp.asarray(self.landmarks, weights.dtype)
        return self.network.at(self.network.expansion(coefficients, landmarks), t, span)


@dataclasses.dataclass(frozen=True)
class InFeatures:
    """A problem whose model is replaced by features; everything else is the problem's own."""

    problem: Ensemble
    model: TangentBasis

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def at_size(self, d: int) -> InFeatures:
        """The same at another size."""
        return InFeatures(self.problem.at_size(d), self.model)


def in_features(problem: Ensemble) -> Any:
    """The problem itself where its model is a set of features, else with features in a network's place.

    A network of finite width is replaced by its limit of infinite width.

    Raises:
        InputError: a trainer whose path to the solution has no closed form.
    """
    model = getattr(problem.model, "limit", problem.model)
    if not hasattr(model, "kernel"):
        return problem
    return InFeatures(problem, _basis(problem.at_size(1)))


@functools.lru_cache(maxsize=8)
def _basis(problem: Ensemble) -> TangentBasis:
    return tangent_basis(problem, training_law(problem))


def tangent_basis(
    problem: Ensemble, nodes: TrainingLaw, rank: int = RANK, least: float = LEAST
) -> TangentBasis:
    """The eigenfunctions with s horizon > `least`, from at most `rank` landmarks among the nodes."""
    network = getattr(problem.model, "limit", problem.model)
    span = np.array([problem.schedule.t_min, problem.schedule.t_max])
    z = network.inputs(jnp.asarray(nodes.pairs.x), jnp.asarray(nodes.pairs.t), span)
    mass = nodes.mass * np.asarray(nodes.pairs.weights)
    landmarks, factor, trace = _landmarks(network, z, mass, rank)
    gram, bound = factor.T @ factor, least / horizon(problem.trainer)
    enough = 2 * int(np.sum(np.linalg.eigvalsh(gram) > bound)) + 16
    landmarks, gram = landmarks[:enough], gram[:enough, :enough]
    lower = np.linalg.cholesky(network.kernel(landmarks, landmarks))
    values, vectors = np.linalg.eigh(gram)
    kept = np.argsort(-values)[: int(np.sum(values > bound))]
    turn = np.linalg.solve(lower.T, vectors[:, kept])
    return TangentBasis(network, landmarks, turn, values[kept], float(1.0 - values[kept].sum() / trace))


def horizon(trainer: Any) -> float:
    """The largest q: 1 / ridge, or the training time.

    Raises:
        InputError: an adaptive or stochastic optimiser.
    """
    if is_minimum(trainer):
        return 1.0 / trainer.ridge
    if trainer.solution is None:
        allowed = "Ridge, GradientFlow, or Optax 'sgd' with a constant rate"
        raise InputError("trainer.name", trainer.name, allowed, "theory follows gradients alone")
    return 1.0 / (1.0 / trainer.training_times[-1] + trainer.ridge)


def _landmarks(network: Any, z: Array, mass: np.ndarray, rank: int) -> tuple[Array, np.ndarray, float]:
    """(landmarks, rows G with G G^T ~ sqrt(l) k sqrt(l), its trace), by randomly pivoted Cholesky."""
    root, rng = np.sqrt(mass), np.random.default_rng(0)
    left = mass * np.asarray(_own(network, z))
    trace = float(left.sum())
    factor, pivots = np.zeros((len(z), rank)), []
    for i in range(rank):
        if left.sum() < EXHAUSTED * trace:
            break
        pivot = int(np.searchsorted(np.cumsum(left), rng.random() * left.sum()))
        row = root * root[pivot] * np.asarray(_column(network, z, z[pivot : pivot + 1]))
        row -= factor[:, :i] @ factor[pivot, :i]
        factor[:, i] = row / np.sqrt(row[pivot])
        left = np.maximum(left - factor[:, i] ** 2, 0.0)
        left[pivot] = 0.0
        pivots.append(pivot)
    return z[np.array(pivots)], factor[:, : len(pivots)], trace


@functools.partial(jax.jit, static_argnums=0)
def _column(network: Any, z: Array, one: Array) -> Array:
    """k(z_i, one)."""
    return network.kernel(z, one)[:, 0]


@functools.partial(jax.jit, static_argnums=0)
def _own(network: Any, z: Array) -> Array:
    """k(z_i, z_i)."""
    return jax.vmap(lambda one: network.kernel(one[None], one[None])[0, 0])(z)
