"""Score networks."""

from simdiff.models.random_features import RandomFeatures

__all__ = ["RandomFeatures"]
