"""Sampling with a chain of denoisers: noise schedules, what they make of a covariance, real samples.

`schedules` says which steps a reverse process takes, `recursion` what they make of one eigenvalue of
the training data's covariance when the denoisers are linear, `generate` takes them with real samples.
"""

from simdiff.sampling.generate import generate
from simdiff.sampling.recursion import Training, spectral_functions
from simdiff.sampling.schedules import DDPM, Exact, Limit, ProbabilityFlow, ReverseSDE, Schedule, Steps

__all__ = [
    "DDPM",
    "Exact",
    "Limit",
    "ProbabilityFlow",
    "ReverseSDE",
    "Schedule",
    "Steps",
    "Training",
    "generate",
    "spectral_functions",
]
