"""Data laws: what x is drawn from."""

from simdiff.data.base import DataLaw, Sampler
from simdiff.data.gaussian import Gaussian, PowerLaw
from simdiff.data.hidden_manifold import HiddenManifold
from simdiff.data.linear_manifold import LinearManifold

__all__ = ["DataLaw", "Gaussian", "HiddenManifold", "LinearManifold", "PowerLaw", "Sampler"]
