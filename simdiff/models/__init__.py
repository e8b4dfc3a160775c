"""Score networks."""

from simdiff.models.feature_library import (
    FeatureLibrary,
    FourierFeatures,
    FunctionFeatures,
    GaussianFeatures,
)
from simdiff.models.linear import Linear
from simdiff.models.random_features import RandomFeatures

__all__ = [
    "FeatureLibrary",
    "FourierFeatures",
    "FunctionFeatures",
    "GaussianFeatures",
    "Linear",
    "RandomFeatures",
]
