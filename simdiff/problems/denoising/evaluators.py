"""Errors of a trained network on fresh data: exact where data are Gaussian, on test points where not.

An evaluator is made once a trial, before any network is looked at, and then evaluates every network of that
trial, one at a time (`errors`) or all those along a training path at once (`errors_along`).
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import DiagonalSampler, GaussianSampler
from simdiff.data.hidden_manifold import HiddenManifoldSampler
from simdiff.problems.denoising.evaluation import FreshMoments
from simdiff.problems.denoising.gamp import posterior
from simdiff.problems.denoising.program import Setup, TrialProgram
from simdiff.problems.denoising.training_path import TrainingPath


class Evaluator(abc.ABC):
    """All errors per dimension; `test` is among them."""

    @abc.abstractmethod
    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """{metric: scalar} of one network."""

    @abc.abstractmethod
    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """{metric: (times,)} of the networks on a path."""


def evaluator_of(program: TrialProgram, setup: Setup) -> Evaluator:
    """The evaluator of a trial's data law and network."""
    if isinstance(program.sampler, GaussianSampler):
        return GaussianEvaluator(program, program.sampler, setup)
    if isinstance(program.sampler, HiddenManifoldSampler):
        return ManifoldEvaluator(program, program.sampler, setup)
    if isinstance(program.sampler, DiagonalSampler) and program.network.linear:
        return CovarianceEvaluator(program, program.sampler, setup)
    return SampleEvaluator(program, setup)


class GaussianEvaluator(Evaluator):
    """Averages over fresh x and z given the trial are taken exactly: no test data."""

    def __init__(self, program: TrialProgram, sampler: GaussianSampler, setup: Setup) -> None:
        pairs = setup.pairs
        self._h = pairs.h
        self._floor = sampler.floor(pairs.frame, pairs.a, pairs.h)
        self._inside = sampler.inside(pairs.frame)
        self._known = program.network.fresh_moments(sampler, pairs, setup.state, program.columns)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """Test, score = (test - floor) / h, the floor, and the test error inside and outside the subspace."""
        each = self._known.fresh_errors(b)
        return self._named(lambda share: jnp.sum(share * each))

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The same along the path."""
        known = self._known
        assert isinstance(known, FreshMoments)  # flows are not split over devices
        return self._named(
            lambda share: path.quadratic(known.phi, known.cross, known.mean_square(share), share)
        )

    def _named(self, average: Callable[[Array], Array]) -> dict[str, Array]:
        """`average(share)` is the test error averaged over directions with weights `share`."""
        inside = self._inside.astype(jnp.float64)
        test = average(jnp.full_like(inside, 1.0 / inside.size))
        return {
            "test": test,
            "score": (test - self._floor) / self._h,
            "floor": jnp.broadcast_to(self._floor, test.shape),
            "test_parallel": average(inside / jnp.sum(inside)),
            "test_orthogonal": average((1.0 - inside) / jnp.sum(1.0 - inside)),
        }


class CovarianceEvaluator(Evaluator):
    """Test errors of a linear network depend on the covariance of x alone, Gaussian or not: no test data."""

    def __init__(self, program: TrialProgram, sampler: DiagonalSampler, setup: Setup) -> None:
        known = program.network.fresh_moments(sampler, setup.pairs, setup.state, program.columns)
        assert isinstance(known, FreshMoments)  # linear networks are not split over devices
        self._known = known
        self._share = _even(program.shape.d)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """The test error."""
        return {"test": jnp.mean(self._known.fresh_errors(b))}

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The test error along the path."""
        known, share = self._known, self._share
        return {"test": path.quadratic(known.phi, known.cross, known.mean_square(share), share)}


class SampleEvaluator(Evaluator):
    """At least 4 d fresh pairs of sample and noise: any data law."""

    def __init__(self, program: TrialProgram, setup: Setup) -> None:
        self._program, self._setup = program, setup

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """The test error."""
        return {"test": self._program.streamed_error(*self._program.test_rows(self._setup), b)}

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The test error along the path."""
        normal = self._program.accumulate(*self._program.test_rows(self._setup))
        return {"test": path.quadratic(normal.u, normal.v, normal.zz, _even(self._program.shape.d))}


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
        score = path.quadratic(u, v, constant, _even(self._program.shape.d)) / self._h
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


def _even(d: int) -> Float[Array, " d"]:
    return jnp.full(d, 1.0 / d)
