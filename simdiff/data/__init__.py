"""Data laws: what x is drawn from."""

from simdiff.data.base import DataLaw, Sampler
from simdiff.data.gaussian import Gaussian, PowerLaw

__all__ = ["DataLaw", "Gaussian", "PowerLaw", "Sampler"]
