"""A trial with the exact ridge minimiser, by the smaller of two linear systems."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from simdiff.engine.symmetric_products import products_of_rows
from simdiff.problem import Kernel
from simdiff.problems.denoising import evaluation
from simdiff.problems.denoising.dispatch import evaluator_of, trial_kernel
from simdiff.problems.denoising.program import Setup, TrialProgram
from simdiff.problems.denoising.split_solve import solve_split
from simdiff.trainers.ridge import Ridge, solve_regularised


@dataclasses.dataclass(frozen=True)
class RidgeKernel(Kernel):
    """key, inputs -> metrics; inputs: n, p, m, a, h, ridge and the data law's arrays."""

    program: TrialProgram

    @property
    def runs_long(self) -> bool:
        """Large trials do."""
        return self.program.runs_long

    def shared(self, devices: int) -> RidgeKernel:
        """With the rows shared."""
        return RidgeKernel(self.program.shared(devices))

    def split(self, devices: int) -> RidgeKernel:
        """With the matrices split."""
        return RidgeKernel(self.program.split(devices))

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Train exactly and measure."""
        setup = self.program.setup(key, inputs)
        solve = self._dual if self.program.shape.dual_rows else self._primal
        b, train, objective = solve(setup, inputs["ridge"])
        memorization = train
        if not self.program.shape.exact_noise:
            memorization = self.program.streamed_error(*self.program.memorization_rows(setup), b)
        metrics = {"train": train, "memorization": memorization, "objective": objective}
        metrics |= self.program.measured(setup, b) | evaluator_of(self.program, setup).errors(b)
        return self.program.chosen(metrics)

    def _primal(self, setup: Setup, ridge: Array) -> tuple[Array, Array, Array]:
        normal, columns = self.program.normal(setup), self.program.columns
        solve = self.program.arithmetic.solve
        u, v = normal.u.astype(solve), normal.v.astype(solve)
        b = -self._solved(u, ridge, v).T
        return b, *evaluation.minimum(b, normal, ridge, columns)

    def _dual(self, setup: Setup, ridge: Array) -> tuple[Array, Array, Array]:
        """With K = F F^T / N the residuals are ridge (K + ridge)^{-1} Z: no cancellation at a tiny error."""
        solve, shape = self.program.arithmetic.solve, self.program.shape
        columns = self.program.columns
        own = columns.own(shape.dual_rows)  # of several devices, each has its rows of (K + ridge)^{-1} Z
        f, z = self.program.training_rows(setup, jnp.arange(len(own) * columns.devices)).as_rows()
        count = setup.pairs.n * setup.pairs.m
        kernel = products_of_rows(f, columns) / count.astype(f.dtype)
        dual = columns.gathered(self._solved(kernel.astype(solve), ridge, z[own].astype(solve)))
        b = -(f.T @ dual.astype(f.dtype)).T / count.astype(f.dtype)
        scale = count.astype(jnp.float64) * shape.d
        train = ridge**2 * jnp.sum(dual.astype(jnp.float64) ** 2) / scale
        return b, train, train + ridge * columns.total(jnp.sum(b.astype(jnp.float64) ** 2)) / shape.d

    def _solved(self, gram: Array, ridge: Array, right: Array) -> Array:
        """(gram + ridge)^{-1} right, or this device's rows of it from its columns of gram."""
        columns = self.program.columns
        if columns.devices == 1:
            return solve_regularised(gram, ridge, right)
        return solve_split(gram, ridge, right, columns)


@trial_kernel.register(Ridge)
def _kernel(
    trainer: Ridge, problem: Any, d: int, program: TrialProgram, inputs: dict[str, Any]
) -> tuple[Kernel, dict[str, Any]]:
    return RidgeKernel(program), inputs
