"""The built-in problems."""

from simdiff.problems.denoising import DenoisingScoreMatching

__all__ = ["DenoisingScoreMatching"]
