"""The built-in problems."""

from simdiff.problems.denoising.problem import DenoisingScoreMatching
from simdiff.problems.empirical_score.few_sample_flow import FewSampleFlow
from simdiff.problems.empirical_score.problem import EmpiricalScore
from simdiff.problems.ensemble.problem import EnsembleSampling
from simdiff.problems.generations.problem import Generations
from simdiff.problems.linear_chain.problem import LinearSampling
from simdiff.problems.network_sampling.problem import NetworkSampling

__all__ = [
    "DenoisingScoreMatching",
    "EmpiricalScore",
    "EnsembleSampling",
    "FewSampleFlow",
    "Generations",
    "LinearSampling",
    "NetworkSampling",
]
