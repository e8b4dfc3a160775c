"""Sampling with a chain of denoisers: noise schedules, what they make of a covariance, real samples.

`schedules` says which steps a reverse process takes, `recursion` what they make of one eigenvalue of
the training data's covariance when the denoisers are linear, `generate` takes them with real samples.
`diffusions` are forward processes in continuous time, `flow` integrates the probability flow of many models
at once, `naive` that of noisy proxy scores.
"""

from simdiff.sampling.diffusions import Diffusion, SquareRoot, VarianceExploding, VariancePreserving
from simdiff.sampling.flow import flow_steps, sample_models
from simdiff.sampling.generate import generate
from simdiff.sampling.naive import naive_samples
from simdiff.sampling.recursion import Training, spectral_functions
from simdiff.sampling.schedules import DDPM, Exact, Limit, ProbabilityFlow, ReverseSDE, Schedule, Steps

__all__ = [
    "DDPM",
    "Diffusion",
    "Exact",
    "Limit",
    "ProbabilityFlow",
    "ReverseSDE",
    "Schedule",
    "SquareRoot",
    "Steps",
    "Training",
    "VarianceExploding",
    "VariancePreserving",
    "flow_steps",
    "generate",
    "naive_samples",
    "sample_models",
    "spectral_functions",
]
