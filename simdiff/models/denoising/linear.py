"""The linear denoiser eps(x_t) = W x_t (+ b), an estimate of the noise z.

Its score is s(x_t) = -eps(x_t) / sqrt(h). Trials work with B = -W, which makes training a ridge
regression of -z on the features f = x_t themselves: p = d, and no first layer.

Source: Merger, Goldt, arXiv 2505.24769.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from simdiff.errors import InputError
from simdiff.models.denoising.base import ScoreNetwork
from simdiff.parts.registry import register


@register("model", "linear")
@dataclasses.dataclass(frozen=True)
class Linear(ScoreNetwork):
    """W in R^{d x d}, trained from zero; with `bias` also b in R^d.

    The bias is not regularised, and at its best value for W throughout training: means over the training
    pairs are taken off x_t and off z, which at m = infinity are a times the samples' mean, and zero. Its
    effect on the errors is of order 1/d.

    The loss is (1/d) <|eps(x_t) - z|^2> + ridge |W|_F^2 / d. Optimisers step in the entries of W, on d / 2
    times that.

    Raises:
        InputError: a bias that is neither true nor false.
    """

    bias: bool = False

    theory: ClassVar[str] = "linear_denoiser"
    path_theory: ClassVar[str] = "linear_denoiser"

    def __post_init__(self) -> None:
        if not isinstance(self.bias, bool):
            raise InputError("model.bias", self.bias, "true or false")

    @property
    def linear(self) -> bool:  # type: ignore[override]
        """Without a bias, a linear map of x_t."""
        return not self.bias

    def width(self, d: int) -> int:
        """Features at size d: the d coordinates of x_t."""
        return d

    def at_size(self, d: int) -> Linear:
        """Nothing is rounded."""
        return self
