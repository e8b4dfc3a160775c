"""Elementwise functions (activations, manifold nonlinearities) and their Gaussian averages."""

from simdiff.functions.activations import Activation, activation
from simdiff.functions.activations import names as activation_names

__all__ = ["Activation", "activation", "activation_names"]
