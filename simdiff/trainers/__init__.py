"""Ways to train the second layer."""

from simdiff.trainers.gradient_flow import GradientFlow
from simdiff.trainers.optimizers import Optax
from simdiff.trainers.ridge import Ridge

__all__ = ["GradientFlow", "Optax", "Ridge"]
