"""Score networks."""

from simdiff.models.denoising.linear import Linear
from simdiff.models.denoising.network import Network
from simdiff.models.denoising.random_features import RandomFeatures
from simdiff.models.ensemble.feature_library import (
    FeatureLibrary,
    FourierFeatures,
    FunctionFeatures,
    GaussianFeatures,
)
from simdiff.models.ensemble.lazy_network import LazyNetwork
from simdiff.models.ensemble.score_model import ScoreModel
from simdiff.models.ensemble.wide_network import WideNetwork

__all__ = [
    "FeatureLibrary",
    "FourierFeatures",
    "FunctionFeatures",
    "GaussianFeatures",
    "LazyNetwork",
    "Linear",
    "Network",
    "RandomFeatures",
    "ScoreModel",
    "WideNetwork",
]
