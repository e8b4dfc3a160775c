"""A trial with the exact ridge minimiser, by the smaller of two linear systems."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from simdiff.problems import evaluation
from simdiff.problems.gram import symmetric_product
from simdiff.problems.judges import judge_of
from simdiff.problems.split_solve import solve_split
from simdiff.problems.trial import Setup, Trial, full_precision
from simdiff.trainers.ridge import solve_regularised


@dataclasses.dataclass(frozen=True)
class RidgeKernel:
    """key, inputs -> metrics; inputs: n, p, m, a, h, ridge and the data law's arrays."""

    trial: Trial

    @property
    def runs_long(self) -> bool:
        """See `Kernel`."""
        return self.trial.runs_long

    def shared(self, devices: int) -> RidgeKernel:
        """The kernel that each of so many devices runs; see `Problem.shares_rows`."""
        return RidgeKernel(self.trial.shared(devices))

    def split(self, devices: int) -> RidgeKernel:
        """The kernel of each of so many devices that split the matrices; see `Problem.split_memory`."""
        return RidgeKernel(self.trial.split(devices))

    @full_precision
    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train exactly and measure."""
        setup = self.trial.setup(key, inputs)
        solve = self._dual if self.trial.shape.dual_rows else self._primal
        b, train, objective = solve(setup, inputs["ridge"])
        memorization = train
        if not self.trial.shape.exact_noise:
            memorization = self.trial.streamed_error(*self.trial.memorization_rows(setup), b)
        metrics = {"train": train, "memorization": memorization, "objective": objective}
        return self.trial.chosen(metrics | judge_of(self.trial, setup).errors(b))

    def _primal(self, setup: Setup, ridge: Array) -> tuple[Array, Array, Array]:
        normal, columns = self.trial.normal(setup), self.trial.columns
        solve = self.trial.precision.solve
        u, v = normal.u.astype(solve), normal.v.astype(solve)
        split = columns.devices > 1
        b = -(solve_split(u, ridge, v, columns) if split else solve_regularised(u, ridge, v)).T
        return b, *evaluation.minimum(b, normal, ridge, columns)

    def _dual(self, setup: Setup, ridge: Array) -> tuple[Array, Array, Array]:
        """With K = F F^T / N the residuals are ridge (K + ridge)^{-1} Z: no cancellation at a tiny error."""
        solve, shape = self.trial.precision.solve, self.trial.shape
        f, z = self.trial.training_rows(setup, jnp.arange(shape.dual_rows))
        count = setup.pairs.n * setup.pairs.m
        kernel = symmetric_product(f.T) / count.astype(f.dtype)
        dual = solve_regularised(kernel.astype(solve), ridge, z.astype(solve))
        b = -(f.T @ dual.astype(f.dtype)).T / count.astype(f.dtype)
        scale = count.astype(jnp.float64) * shape.d
        train = ridge**2 * jnp.sum(dual.astype(jnp.float64) ** 2) / scale
        return b, train, train + ridge * jnp.sum(b.astype(jnp.float64) ** 2) / shape.d
