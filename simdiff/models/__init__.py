"""Score networks."""

from simdiff.models.activations import Activation, activation
from simdiff.models.activations import names as activation_names
from simdiff.models.random_features import RandomFeatures

__all__ = ["Activation", "RandomFeatures", "activation", "activation_names"]
