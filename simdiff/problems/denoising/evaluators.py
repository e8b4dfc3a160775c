"""Errors of a trained network on fresh data: exact where data are Gaussian, on test points where not.

An evaluator is made once a trial, before any network is looked at, and then evaluates every network of that
trial, one at a time (`errors`) or all those along a training path at once (`errors_along`).
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.base import DiagonalSampler, GaussianSampler, Sampler
from simdiff.problems.denoising.dispatch import evaluator
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


class GaussianEvaluator(Evaluator):
    """Averages over fresh x and z given the trial are taken exactly: no test data."""

    def __init__(self, program: TrialProgram, sampler: GaussianSampler, setup: Setup) -> None:
        pairs = setup.pairs
        self._h = pairs.h
        self._floor = sampler.floor(pairs.frame, pairs.a, pairs.h)
        self._inside = sampler.inside(pairs.frame)
        self._known = program.feature_map.fresh_moments(sampler, pairs, setup.state, program.columns)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """Test, score = (test - floor) / h, the floor, and the test error inside and outside the subspace."""
        each = self._known.fresh_errors(b)
        return self._named(lambda share: jnp.sum(share * each))

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The same along the path."""
        known = self._known.whole()
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
        self._known = program.feature_map.fresh_moments(sampler, setup.pairs, setup.state, program.columns)
        self._share = even(program.shape.d)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """The test error."""
        return {"test": jnp.mean(self._known.fresh_errors(b))}

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The test error along the path."""
        known, share = self._known.whole(), self._share
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
        return {"test": path.quadratic(normal.u, normal.v, normal.zz, even(self._program.shape.d))}


def even(d: int) -> Float[Array, " d"]:
    """Equal weights of all directions."""
    return jnp.full(d, 1.0 / d)


@evaluator.register(Sampler)
def _on_samples(sampler: Sampler, program: TrialProgram, setup: Setup) -> Evaluator:
    return SampleEvaluator(program, setup)


@evaluator.register(GaussianSampler)
def _exactly(sampler: GaussianSampler, program: TrialProgram, setup: Setup) -> Evaluator:
    return GaussianEvaluator(program, sampler, setup)


@evaluator.register(DiagonalSampler)
def _by_covariance(sampler: DiagonalSampler, program: TrialProgram, setup: Setup) -> Evaluator:
    if program.network.linear:
        return CovarianceEvaluator(program, sampler, setup)
    return SampleEvaluator(program, setup)
