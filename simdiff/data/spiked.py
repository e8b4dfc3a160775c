"""Gaussian data with one planted direction: a spiked covariance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from simdiff.data.base import DataLaw, Planted
from simdiff.data.gaussian import FixedSpectrumSampler, Gaussian
from simdiff.errors import InputError, check_integer, check_number
from simdiff.parts.registry import register


@register("data", "spiked")
@dataclasses.dataclass(frozen=True)
class Spiked(DataLaw):
    """N(0, Sigma) with variance `spike` along one planted direction and a bulk of other eigenvalues.

    At size d the planted direction is the first coordinate, and the bulk has d - 1 directions, rounded as
    `Gaussian` rounds. One direction in d has no share in averages per dimension as d grows; where theory has
    no size, it is evaluated at the spectrum of size `reference`.

    Args:
        spike: variance along the planted direction, above all of the bulk's.
        bulk: eigenvalues and weights of the others, as `Gaussian` takes them; None: all are 1.
        reference: the size at which theory is evaluated where there is no other.

    Raises:
        InputError: a spike inside the bulk, or fewer than two dimensions.
    """

    spike: float = 4.0
    bulk: Sequence[Sequence[float]] | None = None
    reference: int = 1000

    def __post_init__(self) -> None:
        if self.bulk is not None:
            object.__setattr__(self, "bulk", Gaussian(self.bulk).spectrum_)
        object.__setattr__(self, "spike", check_number("data.spike", self.spike, above=0))
        object.__setattr__(self, "reference", check_integer("data.reference", self.reference, least=2))
        largest = float(self._bulk.spectrum()[0].max())
        if self.spike <= largest:
            hint = "the planted direction is the one of largest variance"
            raise InputError("data.spike", self.spike, f"a number > {largest:g}, the bulk's largest", hint)

    @property
    def _bulk(self) -> Gaussian:
        return Gaussian(self.bulk)

    def planted(self) -> Planted:
        """The spike and, as given, the bulk."""
        return Planted(self.spike, *self._bulk.spectrum())

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """The spectrum at size `reference`, the spike first."""
        values, weights = self._bulk.at_size(self.reference - 1).spectrum()
        share = 1.0 / self.reference
        return np.append(self.spike, values), np.append(share, (1.0 - share) * weights)

    def at_size(self, d: int) -> Spiked:
        """The same law referred to size d."""
        if d < 2:
            raise InputError("sizes", d, "at least 2", "a spike and a bulk take two dimensions")
        return dataclasses.replace(self, reference=d)

    def sampler(self, d: int) -> FixedSpectrumSampler:
        """Diagonal sampler."""
        return FixedSpectrumSampler(d)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The d eigenvalues, the spike first."""
        self.at_size(d)
        return {"eigenvalues": np.append(self.spike, self._bulk.inputs(d - 1)["eigenvalues"])}
