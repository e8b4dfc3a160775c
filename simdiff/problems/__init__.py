"""The built-in problems."""

from simdiff.problems.denoising import DenoisingScoreMatching
from simdiff.problems.ensemble_sampling import EnsembleSampling
from simdiff.problems.linear_sampling import LinearSampling

__all__ = ["DenoisingScoreMatching", "EnsembleSampling", "LinearSampling"]
