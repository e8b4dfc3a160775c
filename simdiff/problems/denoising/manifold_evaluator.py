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


class KnownScore:
    """Test points of a trial at which message passing finds the exact score."""

    def __init__(self, program: TrialProgram, sampler: HiddenManifoldSampler, setup: Setup) -> None:
        pairs, embedding = setup.pairs, setup.pairs.frame
        fresh = program.fresh_rows(setup, jnp.arange(program.shape.score_points))
        self.features, self.x_t = fresh.as_rows()[0], fresh.x_t
        x_t = self.x_t
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
        self.h = pairs.h

    def errors(self, network: Float[Array, "r d"]) -> dict[str, Array]:
        """Score and floor of sqrt(h) s at the points, and how many of them message passing gave up on."""
        return {"score": self._mean((network + self._denoised) ** 2) / self.h} | self.about_points()

    def forms(self) -> tuple[Array, Array, Array]:
        """U, V and the constant of the score's error, for networks B f."""
        keep = self._converged.astype(self.features.dtype)[:, None]
        f, target = self.features * keep, self._denoised * keep
        count = jnp.sum(keep)
        return f.T @ f / count, f.T @ target / count, self._mean(self._denoised**2)

    def about_points(self) -> dict[str, Array]:
        """The floor and the number of points that are left out."""
        return {
            "floor": self._mean(self._variance),
            "unconverged": jnp.sum(~self._converged).astype(jnp.float64),
        }

    def _mean(self, squared: Float[Array, "r d"]) -> Float[Array, ""]:
        each = jnp.mean(squared.astype(jnp.float64), axis=1)
        return jnp.sum(jnp.where(self._converged, each, 0.0)) / jnp.sum(self._converged)


class ManifoldEvaluator(SampleEvaluator):
    """The exact score at some of the test points too, by message passing at the trial's own manifold."""

    def __init__(self, program: TrialProgram, sampler: HiddenManifoldSampler, setup: Setup) -> None:
        super().__init__(program, setup)
        self._known = KnownScore(program, sampler, setup)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """Test, score and floor, and how many points message passing gave up on: those are left out."""
        f = self._known.features
        network = self._program.columns.total(f @ b.T.astype(f.dtype))
        return super().errors(b) | self._known.errors(network)

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The same along the path."""
        u, v, constant = self._known.forms()
        score = path.quadratic(u, v, constant, even(self._program.shape.d)) / self._known.h
        return super().errors_along(path) | {
            name: jnp.broadcast_to(value, score.shape)
            for name, value in (self._known.about_points() | {"score": score}).items()
        }


@evaluator.register(HiddenManifoldSampler)
def _with_score(sampler: HiddenManifoldSampler, program: TrialProgram, setup: Setup) -> ManifoldEvaluator:
    return ManifoldEvaluator(program, sampler, setup)
