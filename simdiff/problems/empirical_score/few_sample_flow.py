"""A flow learned from a few samples of a mixture: n fixed while d grows, and the centroid it generates.

Source: Cui, Krzakala, Vanden-Eijnden, Zdeborova, *Analysis of learning a flow-based generative model from
limited sample complexity*, arXiv 2310.03575.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from simdiff.errors import check_choice, check_integer, check_number
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.empirical_score.few_sample_kernel import FewSampleKernel


@register("problem", "few_sample_flow")
@dataclasses.dataclass(frozen=True)
class FewSampleFlow(Problem):
    """Denoisers c x + w sign(w.x) trained on n samples at every time of a flow, and what the flow generates.

    Data x_1 = s mu + sigma z, s = +-1, |mu|^2 = d, z ~ N(0, I_d); noise x_0 ~ N(0, I_d), one draw a sample;
    x_t = t x_1 + (1 - t) x_0. At every t the minimum over c and w of
    (1/2) sum_i |x_1^i - c x_t^i - w sign(w.x_t^i)|^2 + (ridge / 2) |w|^2, found by turns of labels and
    least squares from the true labels on. Samples start from x ~ N(0, I_d) and follow the velocity of
    that denoiser. With S the side of mu on which a sample ends:
    ``centroid_overlap`` S x.mu / d; ``norm`` |x|^2 / d; ``centroid_error`` |E[S x] - mu|^2 / d, where the
    mean over samples leaves out what the flow makes of each start.

    Args:
        n: samples, at every d.
        sigma: standard deviation within the classes, > 0.
        ridge: > 0.
        labels: "learned", or "given": denoisers are trained with the true labels for sign(w.x_t^i).
        steps: of the flow, each with two denoisers. Learned labels become right at t of order d^(-1/2): with
            fewer than sqrt(d) steps overlap and norm end too large.
        samples: generated in a trial.

    Raises:
        InputError: a value outside its range.
    """

    n: int = 8
    sigma: float = 0.5
    ridge: float = 0.1
    labels: str = "learned"
    steps: int = 64
    samples: int = 64

    name: ClassVar[str] = "few_sample_flow"
    metrics: ClassVar[tuple[Metric, ...]] = (  # type: ignore[misc]
        Metric(
            "centroid_overlap", "overlap S x.mu / d of samples with their class's mean", label="overlap $R$"
        ),
        Metric("norm", "|x|^2 / d of samples", label="squared norm $Q$"),
        Metric("centroid_error", "|E[S x] - mu|^2 / d", label="error of the centroid"),
    )

    def __post_init__(self) -> None:
        for name in ("n", "steps", "samples"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least=1 + (name == "n")))
        for name in ("sigma", "ridge"):
            object.__setattr__(self, name, check_number(name, getattr(self, name), above=0))
        check_choice("labels", self.labels, ("learned", "given"))

    @property
    def default_theory(self) -> str:
        """Its limit, in closed form."""
        return "few_sample_flow"

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all sigma and ridges."""
        kernel = FewSampleKernel(d, self.n, self.samples, self.steps, self.labels == "learned")
        return kernel, {"sigma": np.float64(self.sigma), "ridge": np.float64(self.ridge)}

    def notes(self) -> tuple[str, ...]:
        """How the limit is approached."""
        return ("Corrections to the limit fall as d^(-1/2): extrapolation=[1/2, 1] is right here.",)

    def memory(self, d: int) -> int:
        """Bytes of the vectors and of their Gram matrix."""
        rows = 2 * self.n + self.samples + 1
        return 8 * (3 * rows * d + 4 * rows**2 + 8 * self.steps * rows)

    def cost(self, d: int) -> float:
        """Flops of the Gram matrix, the trainings and the flow."""
        rows = 2 * self.n + self.samples + 1
        return 2.0 * rows**2 * d + 2.0 * self.steps * (40.0 * self.n**2 + 8.0 * self.samples * rows**2)
