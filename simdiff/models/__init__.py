"""Score networks."""

from simdiff.models.linear import Linear
from simdiff.models.random_features import RandomFeatures

__all__ = [
    "Linear",
    "RandomFeatures",
]
