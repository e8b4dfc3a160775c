"""The built-in problems."""

from simdiff.problems.denoising.problem import DenoisingScoreMatching
from simdiff.problems.ensemble.problem import EnsembleSampling
from simdiff.problems.linear_chain.problem import LinearSampling

__all__ = ["DenoisingScoreMatching", "EnsembleSampling", "LinearSampling"]
