"""A trial with exact gradient flow: all training times from one eigendecomposition, the smaller of two."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simdiff.engine.symmetric_products import symmetric_product
from simdiff.problem import Kernel
from simdiff.problems.denoising.dispatch import evaluator_of, trial_kernel
from simdiff.problems.denoising.program import Setup, TrialProgram
from simdiff.problems.denoising.training_path import TrainingPath
from simdiff.trainers.gradient_flow import GradientFlow, flow_filter


@dataclasses.dataclass(frozen=True)
class FlowKernel(Kernel):
    """key, inputs -> metrics with an axis of times; inputs: n, p, m, a, h, ridge, times and the data's."""

    program: TrialProgram

    @property
    def runs_long(self) -> bool:
        """Large trials do."""
        return self.program.runs_long

    def shared(self, devices: int) -> FlowKernel:
        """With the rows shared."""
        return FlowKernel(self.program.shared(devices))

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        """Decompose, then measure along the path."""
        setup = self.program.setup(key, inputs)
        decompose = self._dual if self.program.shape.dual_rows else self._primal
        path, train = decompose(setup, inputs["times"], inputs["ridge"])
        metrics = {
            "train": train,
            "memorization": train if self.program.shape.exact_noise else self._memorization(setup, path),
            "objective": train + inputs["ridge"] * path.squared_norm() / self.program.shape.d,
        }
        metrics |= self.program.measured_along(setup, path)
        return self.program.chosen(metrics | evaluator_of(self.program, setup).errors_along(path))

    def _primal(self, setup: Setup, times: Array, ridge: Array) -> tuple[TrainingPath, Array]:
        normal, solve = self.program.normal(setup), self.program.arithmetic.solve
        eigenvalues, vectors = jnp.linalg.eigh(normal.u.astype(solve))
        left = vectors.T @ normal.v.astype(solve)
        phi, _ = flow_filter(eigenvalues, times, ridge)
        power = jnp.sum(left**2, axis=1) / self.program.shape.d
        kept = jnp.maximum(eigenvalues, 0.0)[:, None] * phi
        train = normal.zz - power @ (phi * (2 - kept))
        return TrainingPath(left, vectors.T, phi), train.astype(jnp.float64)

    def _dual(self, setup: Setup, times: Array, ridge: Array) -> tuple[TrainingPath, Array]:
        """Residuals are (1 - x phi) times the targets, mode by mode: no cancellation at a tiny error."""
        solve, shape = self.program.arithmetic.solve, self.program.shape
        f, z = self.program.training_rows(setup, jnp.arange(shape.dual_rows)).as_rows()
        count = (setup.pairs.n * setup.pairs.m).astype(solve)
        kernel = symmetric_product(f).astype(solve) / count
        eigenvalues, vectors = jnp.linalg.eigh(kernel)
        targets = vectors.T @ z.astype(solve)
        phi, left_over = flow_filter(eigenvalues, times, ridge)
        train = jnp.sum(targets**2, axis=1) @ left_over**2 / (count * shape.d)
        path = TrainingPath(targets / count, vectors.T @ f.astype(solve), phi)
        return path, train.astype(jnp.float64)

    def _memorization(self, setup: Setup, path: TrainingPath) -> Array:
        normal = self.program.accumulate(*self.program.memorization_rows(setup))
        share = jnp.full(self.program.shape.d, 1.0 / self.program.shape.d)
        return path.quadratic(normal.u, normal.v, normal.zz, share)


@trial_kernel.register(GradientFlow)
def _kernel(
    trainer: GradientFlow, problem: Any, d: int, program: TrialProgram, inputs: dict[str, Any]
) -> tuple[Kernel, dict[str, Any]]:
    return FlowKernel(program), inputs | {"times": np.asarray(trainer.times)}
