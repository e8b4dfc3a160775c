"""Ways to train the second layer."""

from simdiff.parts.registry import offer_none
from simdiff.trainers.base import Trainer
from simdiff.trainers.gradient_flow import GradientFlow
from simdiff.trainers.optimizers import Optax
from simdiff.trainers.ridge import Ridge

__all__ = ["GradientFlow", "Optax", "Ridge", "Trainer"]

offer_none("trainer")  # no ridge and no early stopping, where a problem has a minimiser without
