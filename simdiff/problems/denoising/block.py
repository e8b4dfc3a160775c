"""A block of noisy samples with their features and targets, in the layout that its reader needs.

Sums over rows of products of features with features are up to twice as fast on CPU where the features of a
row stand in a column: both factors are read along the axis that is summed over (`benchmarks/layouts.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxtyping import Array, Float

from simdiff.problems.denoising.trial_map import TrialMap


@dataclasses.dataclass(frozen=True)
class Block:
    """Pairs of x_t and noise z; those with `keep` 0 have features and targets 0, with 1 their own."""

    network: TrialMap
    state: Any
    x_t: Float[Array, "r d"]
    z: Float[Array, "r d"]
    keep: Float[Array, " r"]

    @property
    def targets(self) -> Float[Array, "r d"]:
        """One row each."""
        return self.network.targets(self.state, self.z) * self.keep[:, None]

    def as_rows(self) -> tuple[Float[Array, "r p"], Float[Array, "r d"]]:
        """(features, targets), both in rows."""
        return self.network.features(self.state, self.x_t) * self.keep[:, None], self.targets

    def as_columns(self) -> tuple[Float[Array, "p r"], Float[Array, "r d"]]:
        """(features, targets), features in columns."""
        return self.network.feature_columns(self.state, self.x_t) * self.keep, self.targets

    def towards(self, z: Float[Array, "r d"]) -> Block:
        """The same x_t with something else to predict minus of."""
        return dataclasses.replace(self, z=z)

    def only(self, mask: Float[Array, " r"]) -> Block:
        """Without those that the mask is 0 for."""
        return dataclasses.replace(self, keep=self.keep * mask)
