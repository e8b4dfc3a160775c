"""Training on draws with a weight each, for models of three kinds: features, a kernel, a network.

notation:
    loss = (1/P) sum_i l_i |f(z_i) - y_i|^2 + ridge |f|^2           |W|^2, or the norm of the kernel's space
    S = (1/P) sum l phi phi^T,  A = (1/P) sum l y phi^T,  K = sqrt(l) k sqrt(l)^T / P
    features   W = A q(S)
    kernel     f(z) = sum_i c_i k(z, z_i),  c = (1/P) sqrt(l) q(K) sqrt(l) y
    q(s) = 1 / (s + ridge)                                          ridge: the minimum
         = (1 - exp(-time (s + ridge))) / (s + ridge)               flow from 0, d/dtime = -gradient / 2
         = (1 - (1 - step (s + ridge))^(time / step)) / (s + ridge) descent from 0 in steps

A network descends half the loss, with |parameters - initial ones|^2 for the norm: to first order in the
change of its parameters that is its tangent kernel's descent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.trainers.base import Trainer
from simdiff.trainers.gradient_flow import flow_filter
from simdiff.trainers.ridge import solve_regularised
from simdiff.trainers.weighted_ridge import weighted_ridge


def training_numbers(trainer: Trainer) -> dict[str, float]:
    """ridge, time and step; 0 where the trainer has none."""
    return {"ridge": trainer.ridge, "time": trainer.training_times[-1], "step": trainer.step}


@dataclasses.dataclass(frozen=True)
class WeightedTraining:
    """How one model is trained, inside a compiled program: numbers may be traced.

    Args:
        kind: of `Trainer.weighted_kind`.
        count: P.
        ridge, time, step: of `training_numbers`.
        trainer: has the optax optimiser and its number of steps, for networks.
        dtype: arithmetic of a network's descent.
    """

    kind: str
    count: Array
    ridge: Array
    time: Array
    step: Array
    trainer: Trainer | None = None
    dtype: str = "float64"

    def features(
        self, phi: Float[Array, "n F"], y: Float[Array, "n O"], weights: Float[Array, " n"]
    ) -> Float[Array, "O F"]:
        """W, by the smaller of two systems."""
        if self.kind == "ridge":
            return weighted_ridge(phi, y, weights, self.count, self.ridge)
        root = jnp.sqrt(weights / self.count)[:, None]
        rows, targets = root * phi, root * y
        if phi.shape[0] < phi.shape[1]:
            return (rows.T @ self._solved(rows @ rows.T, targets)).T
        return self._solved(rows.T @ rows, rows.T @ targets).T

    def kernel(
        self, gram: Float[Array, "n n"], y: Float[Array, "n O"], weights: Float[Array, " n"]
    ) -> Float[Array, "O n"]:
        """The coefficients c; 0 where weights are 0."""
        root = jnp.sqrt(weights / self.count)[:, None]
        return (root * self._solved(root * gram * root.T, root * y)).T

    def network(
        self, outputs: Callable[[Any], Array], start: Any, y: Float[Array, "n O"], weights: Array
    ) -> Any:
        """Parameters after descent from `start`; `outputs(parameters)` is (n, O), 0 at the start."""
        from optax import apply_updates

        assert self.trainer is not None
        share = (weights / self.count).astype(self.dtype)[:, None]
        wanted, ridge = y.astype(self.dtype), self.ridge.astype(self.dtype)
        optimiser = self.trainer.optimiser
        assert optimiser is not None

        def loss(now: Any) -> Array:
            moved = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), now, start)
            off = jnp.sum(share * (outputs(now) - wanted) ** 2)
            return 0.5 * (off + ridge * sum(jax.tree.leaves(moved)))

        def update(_: Any, state: tuple) -> tuple:
            now, memory = state
            change, memory = optimiser.update(jax.grad(loss)(now), memory, now)
            return apply_updates(now, change), memory

        state = (start, optimiser.init(start))
        return jax.lax.fori_loop(0, self.trainer.steps_taken, update, state)[0]

    def _solved(self, gram: Float[Array, "k k"], right: Float[Array, "k O"]) -> Float[Array, "k O"]:
        """q(gram) right: by a factorisation, by eigenvectors, or step by step."""
        if self.kind == "ridge":
            return solve_regularised(gram, self.ridge, right)
        if self.kind == "flow":
            values, vectors = jnp.linalg.eigh(gram)
            return vectors @ (flow_filter(values, self.time[None], self.ridge)[0] * (vectors.T @ right))

        def update(_: Any, now: Array) -> Array:
            return now + self.step * (right - gram @ now - self.ridge * now)

        steps = jnp.rint(self.time / self.step).astype(int)
        return jax.lax.fori_loop(0, steps, update, jnp.zeros_like(right))
