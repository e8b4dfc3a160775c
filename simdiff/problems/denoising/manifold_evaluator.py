"""Errors on data of a hidden manifold, whose exact score message passing finds at test points."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.hidden_manifold import HiddenManifoldSampler
from simdiff.problems.denoising.dispatch import evaluator
from simdiff.problems.denoising.evaluators import SampleEvaluator, even
from simdiff.problems.denoising.gamp import posterior
from simdiff.problems.denoising.program import Setup, TrialProgram
from simdiff.problems.denoising.training_path import TrainingPath


class ManifoldEvaluator(SampleEvaluator):
    """The exact score at some of the test points too, by message passing at the trial's own manifold."""

    def __init__(self, program: TrialProgram, sampler: HiddenManifoldSampler, setup: Setup) -> None:
        super().__init__(program, setup)
        pairs, embedding = setup.pairs, setup.pairs.frame
        self._f, _, x_t = program.fresh_rows(setup, jnp.arange(program.shape.score_points))
        a, h = pairs.a.astype(jnp.float32), pairs.h.astype(jnp.float32)
        shift = embedding.shift.astype(jnp.float32)
        found = posterior(
            x_t.astype(jnp.float32) + a * shift,
            embedding.factor,
            sampler.sigma,
            a,
            h,
            program.shape.score_nodes,
        )
        self._converged = found.converged
        self._variance = found.variance * (a**2 / h)
        denoised = program.network.targets(setup.state, (x_t - a * (found.mean - shift)) / jnp.sqrt(h))
        self._denoised = jnp.where(self._converged[:, None], denoised, 0.0).astype(x_t.dtype)
        self._h = pairs.h

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """Test, score and floor, and how many points message passing gave up on: those are left out."""
        network = self._program.columns.total(self._f @ b.T.astype(self._f.dtype))
        score = self._mean((network + self._denoised) ** 2) / self._h
        return super().errors(b) | {"score": score} | self._about_points()

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The same along the path."""
        keep = self._converged.astype(self._f.dtype)[:, None]
        f, target = self._f * keep, self._denoised * keep
        count = jnp.sum(keep)
        u, v = f.T @ f / count, f.T @ target / count
        constant = self._mean(self._denoised**2)
        score = path.quadratic(u, v, constant, even(self._program.shape.d)) / self._h
        return super().errors_along(path) | {
            name: jnp.broadcast_to(value, score.shape)
            for name, value in (self._about_points() | {"score": score}).items()
        }

    def _about_points(self) -> dict[str, Array]:
        return {
            "floor": self._mean(self._variance),
            "unconverged": jnp.sum(~self._converged).astype(jnp.float64),
        }

    def _mean(self, squared: Float[Array, "r d"]) -> Float[Array, ""]:
        each = jnp.mean(squared.astype(jnp.float64), axis=1)
        return jnp.sum(jnp.where(self._converged, each, 0.0)) / jnp.sum(self._converged)


@evaluator.register(HiddenManifoldSampler)
def _with_score(sampler: HiddenManifoldSampler, program: TrialProgram, setup: Setup) -> ManifoldEvaluator:
    return ManifoldEvaluator(program, sampler, setup)
