"""Centred Gaussian data with any covariance spectrum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Array

from simdiff.data.base import DataLaw, Frame, GaussianSampler
from simdiff.errors import InputError, check_integer, check_number
from simdiff.parts.registry import register


@dataclasses.dataclass(frozen=True)
class FixedSpectrumSampler(GaussianSampler):
    """The eigenvalues are inputs: nothing is drawn for a trial."""

    d: int

    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """The eigenvalues."""
        return inputs["eigenvalues"]


@register("data", "gaussian")
@dataclasses.dataclass(frozen=True)
class Gaussian(DataLaw):
    """N(0, Sigma); `spectrum` is (eigenvalues, weights) of Sigma, isotropic by default.

    At size d the eigenvalue s_k gets round(weight_k d) directions, by largest remainder, and theory
    is evaluated at the weights realised.
    """

    spectrum_: tuple[tuple[float, ...], tuple[float, ...]] = ((1.0,), (1.0,))

    def __init__(self, spectrum: Sequence[Sequence[float]] | None = None) -> None:
        pair = ((1.0,), (1.0,)) if spectrum is None else _check_spectrum(spectrum)
        object.__setattr__(self, "spectrum_", pair)

    def arguments(self) -> dict[str, object]:
        """The spectrum; see `parts.vary`."""
        return {"spectrum": self.spectrum_}

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and weights as given."""
        return np.array(self.spectrum_[0]), np.array(self.spectrum_[1])

    def at_size(self, d: int) -> Gaussian:
        """Weights rounded to multiples of 1/d."""
        values, weights = self.spectrum()
        counts = _apportion(weights, d)
        kept = counts > 0
        return type(self)((values[kept].tolist(), (counts[kept] / d).tolist()))

    def sampler(self, d: int) -> FixedSpectrumSampler:
        """Diagonal sampler."""
        return FixedSpectrumSampler(d)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The d eigenvalues."""
        values, weights = self.spectrum()
        return {"eigenvalues": np.repeat(values, _apportion(weights, d))}

    def ratios(self) -> Mapping[str, float]:
        """Every weight should give a whole number of directions."""
        return {f"data.spectrum weight {i}": w for i, w in enumerate(self.spectrum_[1])}

    def description(self) -> dict[str, object]:
        """As the constructor takes it."""
        if self.spectrum_ == ((1.0,), (1.0,)):
            return {"type": "Gaussian"}
        return {"type": "Gaussian", "spectrum": [list(part) for part in self.spectrum_]}


@register("data", "power_law")
@dataclasses.dataclass(frozen=True)
class PowerLaw(DataLaw):
    """N(0, Sigma) with eigenvalues s_k = k^-exponent, k = 1..d, scaled to mean 1.

    For exponent >= 1 this law has no limit as d grows (its largest eigenvalues diverge), so theory
    is always evaluated at the spectrum of a finite size: of the size simulated when one is compared
    with a simulation, of `reference` otherwise.
    """

    exponent: float = 1.0
    reference: int = 1000

    def __post_init__(self) -> None:
        object.__setattr__(self, "exponent", check_number("data.exponent", self.exponent, least=0))
        object.__setattr__(self, "reference", check_integer("data.reference", self.reference, least=1))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """The spectrum at size `reference`."""
        s = np.arange(1, self.reference + 1, dtype=float) ** -self.exponent
        return s / s.mean(), np.full(self.reference, 1.0 / self.reference)

    def at_size(self, d: int) -> PowerLaw:
        """The same law referred to size d."""
        return dataclasses.replace(self, reference=d)

    def notes(self) -> tuple[str, ...]:
        """tr Sigma^2 / (tr Sigma)^2 is of order 1/d up to exponent 1/2 only (a logarithm at 1/2)."""
        spiked = self.exponent > _LARGEST_CONCENTRATED_EXPONENT
        return (_SPIKED.format(self.exponent),) if spiked else ()

    def sampler(self, d: int) -> FixedSpectrumSampler:
        """Diagonal sampler."""
        return FixedSpectrumSampler(d)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The d eigenvalues."""
        return {"eigenvalues": self.at_size(d).spectrum()[0]}


_LARGEST_CONCENTRATED_EXPONENT = 0.5
_SPIKED = (
    "power law with exponent {0:g} > 0.5: |x|^2 / d concentrates more slowly than 1/d (not at all, but for "
    "logarithms, from 1 on), so Gaussian equivalence and extrapolation in 1/d are not expected to hold"
)


def _check_spectrum(
    spectrum: Sequence[Sequence[float]],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    field, allowed = "data.spectrum", "two equally long lists: eigenvalues >= 0 and positive weights"
    try:
        values, weights = (np.array(part, dtype=float) for part in spectrum)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(field, spectrum, allowed) from error
    if values.ndim != 1 or values.shape != weights.shape or values.size == 0:
        raise InputError(field, spectrum, allowed)
    if not (np.isfinite(values).all() and (values >= 0).all() and values.max() > 0):
        raise InputError(field, spectrum, allowed, "an eigenvalue is negative or not finite, or all are zero")
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise InputError(field, spectrum, allowed, "a weight is not a positive number")
    if abs(weights.sum() - 1) > 1e-6:
        raise InputError(field, spectrum, allowed, f"the weights add up to {weights.sum():.6g}, not to 1")
    return tuple(values.tolist()), tuple((weights / weights.sum()).tolist())


def _apportion(weights: np.ndarray, d: int) -> np.ndarray:
    """Whole numbers adding up to d, as near as can be to weights * d (largest remainder)."""
    exact = weights * d
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: d - counts.sum()]] += 1
    return counts
