"""Generations of linear diffusion models, each trained on samples of the one before.

Sources: Shumailov et al., Nature 631, 755 (2024) (models collapse); Gerstgrasser et al., arXiv 2404.01413
(accumulated data); Khelifa, Turner, Venkataramanan, arXiv 2602.16601.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from simdiff.data import DataLaw, Gaussian
from simdiff.data.base import DiagonalSampler
from simdiff.errors import InputError, check_integer, check_number, check_type
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.generations.kernel import GenerationsKernel
from simdiff.trainers import Ridge

_KEEP = '"replace", "accumulate", or a share of real data > 0 and < 1'
_LOSSES = (
    Metric("variance", "variance of the last model's samples over the target's, tr F / tr Sigma"),
    Metric("covariance", "squared error of the last sampled covariance, |F - Sigma|_F^2 / d"),
)
_DIVERGENCES = (
    Metric("kl_sampled_target", "KL(last sampled || target) per dimension"),
    Metric("kl_target_sampled", "KL(target || last sampled) per dimension"),
)


@register("problem", "generations")
@dataclasses.dataclass(frozen=True)
class Generations(Problem):
    """Fit a linear diffusion model to N = psi_n d real samples, the next one to samples of it, and so on.

    A model fitted to data of second moment A samples N(0, F), F = (A + ridge) / (1 - ridge): the reverse SDE
    without discretisation error from an infinite horizon, minimisers at every noise level, no bias. All
    metrics are those of the last generation; generation 1 is trained on real data only.

    Args:
        data: the law of real data, Gaussian or points.
        psi_n: samples per dimension that every generation adds, > 0.
        generations: how many models, >= 1.
        keep: "replace" trains on the last model's N samples alone; "accumulate" on all samples so far, the
            real ones of generation 1 among them; a share, a number > 0 and < 1, on N samples of which
            that share, rounded, is real and fresh.
        trainer: None, or `Ridge` with a ridge < 1.
        kl: whether the divergences are metrics; they must be left out where they are infinite.

    Raises:
        InputError: a value outside its range, or divergences that are infinite.
    """

    data: DataLaw = dataclasses.field(default_factory=Gaussian)
    psi_n: float = 4.0
    generations: int = 4
    keep: str | float = "replace"
    trainer: Ridge | None = None
    kl: bool = True

    name: ClassVar[str] = "generations"
    size: ClassVar[int | None] = None
    """d, in a problem that `at_size(d)` returned: exact theories need it. It is no field."""

    def __post_init__(self) -> None:
        check_type("data", self.data, DataLaw)
        if not self.data.diagonal:
            raise InputError("data", type(self.data).__name__, "a Gaussian law or images")
        if self.trainer is not None:
            check_type("trainer", self.trainer, Ridge)
            if self.trainer.ridge >= 1:
                hint = "the reverse SDE's variance grows with the horizon without bound"
                raise InputError("trainer.ridge", self.trainer.ridge, "a number < 1", hint)
        object.__setattr__(self, "psi_n", check_number("psi_n", self.psi_n, above=0))
        object.__setattr__(self, "generations", check_integer("generations", self.generations, least=1))
        object.__setattr__(self, "keep", _check_keep(self.keep))
        if not isinstance(self.kl, bool):
            raise InputError("kl", self.kl, "true or false")
        if self.only_size is not None:
            self.data.check_samples(self.count(self.only_size))
        if self.kl:
            self._check_divergences()

    def _check_divergences(self) -> None:
        values, weights = self.data.spectrum()
        if self.data.has_flat_directions or values[weights > 0].min() == 0:
            hint = "the target covariance is singular: both divergences are infinite"
            raise InputError("data", type(self.data).__name__, "a covariance of full rank, or kl=False", hint)
        if self.psi_n <= 1 and self.ridge == 0:
            hint = "N <= d samples without ridge leave the sampled covariance singular"
            raise InputError("psi_n", self.psi_n, "a number > 1 with trainer=None, or kl=False", hint)

    @property
    def ridge(self) -> float:
        """Of every denoiser's loss; 0 without a trainer."""
        return 0.0 if self.trainer is None else self.trainer.ridge

    @property
    def share(self) -> float:
        """The share of real data after generation 1."""
        return 0.0 if isinstance(self.keep, str) else self.keep

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Divergences unless left out, and errors of the covariance."""
        return (*(_DIVERGENCES if self.kl else ()), *_LOSSES)

    @property
    def default_theory(self) -> str | None:
        """Free sums and products of spectra, in the limit, unless samples have radii of their own."""
        return "generations" if self.data.gaussian_features else None

    def count(self, d: int) -> int:
        """N at size d."""
        return max(1, round(self.psi_n * d))

    def at_size(self, d: int) -> Generations:
        """psi_n, the share and the spectrum as they come out at size d; `size` is d."""
        n = self.count(d)
        keep = self.keep if isinstance(self.keep, str) else round(self.keep * n) / n
        at = dataclasses.replace(self, data=self.data.at_size(d), psi_n=n / d)
        object.__setattr__(at, "keep", keep)
        object.__setattr__(at, "size", d)
        return at

    def ratios(self) -> Mapping[str, float]:
        """N, its real part and the data law's multiplicities should be integers."""
        real = {"keep psi_n": self.share * self.psi_n} if self.share else {}
        return {"psi_n": self.psi_n, **real, **self.data.ratios()}

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program for this number of samples and generations; always in float64."""
        n = self.count(d)
        if self.kl and self.ridge == 0 and n <= d + 1:
            hint = f"N = {n}: the mean of tr Sigma F^-1 over training sets is infinite"
            raise InputError("sizes", d, "sizes with N > d + 1 for KL(target || sampled)", hint)
        sampler = self.data.sampler(d)
        assert isinstance(sampler, DiagonalSampler)
        accumulate, fresh = self.keep == "accumulate", round(self.share * n)
        kernel = GenerationsKernel(sampler, n, self.generations, accumulate, fresh, self.kl)
        return kernel, {"ridge": np.float64(self.ridge), "data": self.data.inputs(d)}

    def notes(self) -> tuple[str, ...]:
        """What the data law has to say."""
        return self.data.notes()

    def memory(self, d: int) -> int:
        """Bytes of two sets of samples and of a few squares."""
        return self.data.stored_bytes + 8 * (4 * self.count(d) * d + 6 * d**2)

    def cost(self, d: int) -> float:
        """Flops of one trial."""
        return self.generations * (20.0 * d**3 + 4.0 * self.count(d) * d**2)


def _check_keep(keep: Any) -> str | float:
    if isinstance(keep, str):
        if keep not in ("replace", "accumulate"):
            raise InputError("keep", keep, _KEEP)
        return keep
    try:
        number = check_number("keep", keep, above=0)
    except InputError as error:
        raise InputError("keep", keep, _KEEP, "0 is replace; only real data is generations=1") from error
    if number >= 1:
        raise InputError("keep", keep, _KEEP, "only real data is generations=1")
    return number
