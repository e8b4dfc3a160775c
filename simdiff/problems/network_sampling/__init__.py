"""One network for all noise levels, and the samples it makes."""

from simdiff.problems.network_sampling.problem import NetworkSampling

__all__ = ["NetworkSampling"]
