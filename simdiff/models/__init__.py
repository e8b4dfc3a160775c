"""Score networks."""

from simdiff.models.feature_library import (
    FeatureLibrary,
    FourierFeatures,
    FunctionFeatures,
    GaussianFeatures,
)
from simdiff.models.lazy_network import LazyNetwork
from simdiff.models.linear import Linear
from simdiff.models.random_features import RandomFeatures
from simdiff.models.score_model import ScoreModel
from simdiff.models.wide_network import WideNetwork

__all__ = [
    "FeatureLibrary",
    "FourierFeatures",
    "FunctionFeatures",
    "GaussianFeatures",
    "LazyNetwork",
    "Linear",
    "RandomFeatures",
    "ScoreModel",
    "WideNetwork",
]
