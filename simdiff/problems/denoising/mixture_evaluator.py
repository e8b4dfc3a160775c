"""Errors on data with classes: the exact score in closed form, and the test error of every class."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data.elliptical import EllipticalSampler
from simdiff.data.gaussian_mixture import MixtureSampler
from simdiff.problems.denoising.block import Block
from simdiff.problems.denoising.dispatch import evaluator
from simdiff.problems.denoising.evaluators import Evaluator, even
from simdiff.problems.denoising.program import Rows, Setup, TrialProgram
from simdiff.problems.denoising.training_path import TrainingPath


class MixtureEvaluator(Evaluator):
    """4 d fresh pairs of sample and noise, the same for all errors; a class without any has error nan."""

    def __init__(
        self, program: TrialProgram, sampler: MixtureSampler | EllipticalSampler, setup: Setup
    ) -> None:
        self._program, self._sampler, self._setup = program, sampler, setup
        self._all, self._count = program.test_rows(setup)
        pairs = setup.pairs
        self._noised = pairs.frame.noised(pairs.a, pairs.h)
        labels = self._labels(jnp.arange(4 * program.shape.d))
        self._sizes = jnp.bincount(labels, length=sampler.classes).astype(jnp.float64)

    def errors(self, b: Float[Array, "d p"]) -> dict[str, Array]:
        """Test and score error, and the test errors of the classes."""

        def measured(rows: Rows) -> Array:
            return self._program.streamed_error(rows, self._count, b)

        return self._named(*(measured(rows) for rows in self._streams()))

    def errors_along(self, path: TrainingPath) -> dict[str, Array]:
        """The same along the path."""

        def measured(rows: Rows) -> Array:
            normal = self._program.accumulate(rows, self._count)
            return path.quadratic(normal.u, normal.v, normal.zz, even(self._program.shape.d))

        return self._named(*(measured(rows) for rows in self._streams()))

    def _streams(self) -> list[Rows]:
        """Rows towards the best denoiser, then those of every class."""
        return [self._towards_score, *(self._of_class(k) for k in range(self._sampler.classes))]

    def _named(self, score: Array, *shares: Array) -> dict[str, Array]:
        """`shares`: what each class adds to the test error."""
        weights = self._count / self._sizes
        each = {f"test_class_{k}": share * weights[k] for k, share in enumerate(shares)}
        return {"test": jnp.sum(jnp.stack(shares), axis=0), "score": score / self._setup.pairs.h} | each

    def _of_class(self, k: int) -> Rows:
        def rows(index: Array) -> Block:
            block = self._all(index)
            return block.only((self._labels(index) == k).astype(block.z.dtype))

        return rows

    def _towards_score(self, index: Array) -> Block:
        """Targets are E[z | x_t] = -sqrt(h) times the score."""
        block = self._all(index)
        denoised = -jnp.sqrt(self._setup.pairs.h) * self._noised.score(block.x_t)
        return block.towards(denoised.astype(block.z.dtype))

    def _labels(self, index: Array) -> Array:
        keys = self._setup.pairs.keys
        return self._sampler.labels(keys.test_samples, self._setup.pairs.frame, index)


@evaluator.register(EllipticalSampler)
@evaluator.register(MixtureSampler)
def _of_mixture(
    sampler: MixtureSampler | EllipticalSampler, program: TrialProgram, setup: Setup
) -> MixtureEvaluator:
    return MixtureEvaluator(program, sampler, setup)
