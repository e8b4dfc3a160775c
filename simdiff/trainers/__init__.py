"""Ways to train the second layer."""

from simdiff.trainers.optimizers import Optax
from simdiff.trainers.ridge import Ridge

__all__ = ["Optax", "Ridge"]
