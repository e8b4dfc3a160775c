"""An ensemble of diffusion models of a point set, each trained on its own P noisy draws, and their samples.

Source: Vastola, *Generalization through variance: how noise shapes inductive biases in diffusion models*,
arXiv 2504.12532.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.buckets import bucket
from simdiff.data.point_masses import PointMasses
from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.models.feature_library import FeatureLibrary, GaussianFeatures
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.denoising import check_type
from simdiff.problems.ensemble_kernel import EnsembleKernel
from simdiff.sampling.diffusions import Diffusion, VariancePreserving
from simdiff.sampling.flow import BLOCK, flow_steps
from simdiff.sampling.training_targets import WEIGHTS
from simdiff.trainers import Ridge

_TRAIN = Metric("train", "weighted loss on the P training draws, without the ridge term")
_TEST = Metric("test", "weighted loss on fresh draws, E l |W phi - y|^2")
_SAMPLES = (
    Metric("gap", "share of samples farther than the radius from every data point"),
    Metric("nearest", "mean squared distance of samples to the nearest data point"),
    Metric("spread", "mean squared distance of samples to the mean of the data points"),
)


@dataclasses.dataclass(frozen=True)
class EnsembleSampling(Problem):
    """Train W phi(x, t) on P draws (t, x_0, x_t) by weighted ridge regression, and sample its flow.

    A trial is one model; the size d of the engine is P, so that its limit is infinitely many draws. The loss
    is (1/P) sum lambda |s^ - s~|^2 + ridge |W|^2, in terms of a denoiser where the features' target is one
    (the same loss, weights l = lambda alpha^2 / sig2^2). Samples start from N(0, sig2(t_max)) and follow the
    learned probability flow in `steps` Euler steps.

    Metrics: ``train`` and ``test``, the weighted losses; of the generated samples ``gap``, the share farther
    than `radius` from every data point, ``nearest``, the mean squared distance to the nearest data point,
    and ``spread``, that to the points' mean. Their averages over trials are averages over the ensemble.

    Args:
        data: the point set.
        model: the features.
        schedule: the forward process and its times.
        trainer: `Ridge`.
        weight: lambda(t), "sig2" or "one".
        steps: steps of sampling.
        samples: samples a model; 0 leaves their metrics out.
        fresh: draws on which the test loss is measured; 0 leaves it out.
        radius: None for a quarter of the smallest distance between data points.

    Raises:
        InputError: a part of another kind, a value outside its range, or features of another dimension.
    """

    data: PointMasses
    model: FeatureLibrary = dataclasses.field(default_factory=GaussianFeatures)
    schedule: Diffusion = dataclasses.field(default_factory=VariancePreserving)
    trainer: Ridge = dataclasses.field(default_factory=lambda: Ridge(0.1))
    weight: str = "sig2"
    steps: int = 30
    samples: int = 1024
    fresh: int = 1024
    radius: float | None = None

    name: ClassVar[str] = "ensemble_sampling"
    size: ClassVar[int | None] = None
    """P, in a problem that `realised(P)` returned; None is the limit of infinitely many draws. No field."""

    def __post_init__(self) -> None:
        check_type("data", self.data, PointMasses)
        check_type("model", self.model, FeatureLibrary)
        check_type("schedule", self.schedule, Diffusion)
        check_type("trainer", self.trainer, Ridge)
        check_choice("weight", self.weight, WEIGHTS)
        for name, least in (("steps", 1), ("samples", 0), ("fresh", 0)):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least=least))
        if self.radius is not None:
            object.__setattr__(self, "radius", check_number("radius", self.radius, above=0))
        self.model.count(self.data.dimension)

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Losses, and what is measured on samples."""
        return (_TRAIN, *((_TEST,) if self.fresh else ()), *(_SAMPLES if self.samples else ()))

    @property
    def default_theory(self) -> str:
        """The effective dynamics with the corrected law of the weights."""
        return "effective_dynamics"

    @property
    def features(self) -> int:
        """F."""
        return self.model.count(self.data.dimension)

    @property
    def gap_radius(self) -> float:
        """The radius beyond which a sample lies in a gap."""
        return 0.25 * self.data.least_distance if self.radius is None else self.radius

    def realised(self, d: int) -> EnsembleSampling:
        """The same problem, with `size` P = d."""
        at = dataclasses.replace(self)
        object.__setattr__(at, "size", check_integer("d", d, least=1))
        return at

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all P of a bucket; training in float64, samples in float32 unless asked."""
        kind = self.arithmetic(dtype)
        sampling = "float64" if kind == "float64" else "float32"
        kernel = EnsembleKernel(
            self.model, self.schedule, self.weight, bucket(d), self.samples, self.fresh, sampling
        )
        return kernel, self.inputs(d)

    def inputs(self, d: int) -> dict[str, Any]:
        """What the program reads: P, ridge, steps, points."""
        points, masses = self.data.arrays()
        return {
            "n": np.float64(d),
            "ridge": np.float64(self.trainer.ridge),
            "span": np.array([self.schedule.t_min, self.schedule.t_max]),
            "steps": jax.tree.map(np.asarray, flow_steps(self.schedule, self.steps)),
            "points": points,
            "masses": masses,
            "radius": np.float64(self.gap_radius),
        }

    def arithmetic(self, dtype: str = "auto") -> str:
        """Mixed: training in float64, sampling in float32."""
        if dtype == "float32":
            raise InputError("dtype", dtype, "auto, mixed, float64", "the normal equations need float64")
        return "float64" if dtype == "float64" else "mixed"

    def notes(self) -> tuple[str, ...]:
        """What d means here."""
        return (f"The size d is P, the number of training draws; the models have F = {self.features}.",)

    def memory(self, d: int) -> int:
        """Bytes of the features of all draws, the smaller normal equations, and the samples."""
        rows, F = bucket(d), self.features
        width = 8 * self.data.dimension
        return 8 * (3 * (rows + self.fresh) * F + 3 * min(rows, F) ** 2) + width * (self.samples + 40 * BLOCK)

    def cost(self, d: int) -> float:
        """Flops of training and of sampling."""
        rows, F = bucket(d), self.features
        side = min(rows, F)
        return 2.0 * rows * F * side + side**3 + 8.0 * self.steps * self.samples * F


def train_models(problem: EnsembleSampling, size: int, models: int, seed: int = 0) -> Float[Array, "G D F"]:
    """Weights of models trained on `size` draws each, model i from (seed, i) alone; float64."""
    kernel, inputs = problem.kernel(size)
    assert isinstance(kernel, EnsembleKernel)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return _train(kernel, jax.random.split(key, models), jax.tree.map(jnp.asarray, inputs))


@functools.partial(jax.jit, static_argnums=0)
def _train(kernel: EnsembleKernel, keys: Array, inputs: dict[str, Any]) -> Array:
    return jax.lax.map(lambda key: kernel.train(key, inputs)[0], keys)
