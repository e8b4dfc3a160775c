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

from simdiff.data.point_masses import PointMasses
from simdiff.engine.padding import bucket
from simdiff.errors import InputError, check_choice, check_integer, check_number, check_type
from simdiff.models.ensemble.feature_library import GaussianFeatures
from simdiff.models.ensemble.score_model import ModelCost, ScoreModel
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.ensemble.kernel import EnsembleKernel
from simdiff.sampling.diffusions import Diffusion, VariancePreserving
from simdiff.sampling.flow import BLOCK, flow_steps
from simdiff.sampling.training_targets import WEIGHTS
from simdiff.trainers import Ridge, Trainer
from simdiff.trainers.weighted_training import training_numbers

_TRAIN = Metric("train", "weighted loss on the P training draws, without the ridge term", label="train error")
_TEST = Metric("test", "weighted loss on fresh draws, E l |f - y|^2", label="test error")
_SAMPLES = (
    Metric(
        "gap",
        "share of samples farther than the radius from every data point",
        label="share of samples in gaps",
    ),
    Metric(
        "nearest",
        "mean squared distance of samples to the nearest data point",
        label="squared distance to the data",
    ),
    Metric(
        "spread",
        "mean squared distance of samples to the mean of the data points",
        label="spread of the samples",
    ),
)


@register("problem", "ensemble_sampling")
@dataclasses.dataclass(frozen=True)
class EnsembleSampling(Problem):
    """Train a model f(x, t) on P draws (t, x_0, x_t) by weighted least squares, and sample its flow.

    A trial is one model; the size d of the engine is P, so that its limit is infinitely many draws. The loss
    is (1/P) sum lambda |s^ - s~|^2 + ridge |f|^2, in terms of a denoiser where the model's target is one (the
    same loss, weights l = lambda alpha^2 / sig2^2); |f| is the norm of the weights W of features, and that of
    the kernel's space for lazy networks. Samples start from N(0, sig2(t_max)) and follow the
    learned probability flow in `steps` Euler steps.

    Metrics: ``train`` and ``test``, the weighted losses; of the generated samples ``gap``, the share farther
    than `radius` from every data point, ``nearest``, the mean squared distance to the nearest data point,
    and ``spread``, that to the points' mean. Their averages over trials are averages over the ensemble.

    Args:
        data: the point set.
        model: `GaussianFeatures`, `FourierFeatures`, `FunctionFeatures`, `LazyNetwork` or `WideNetwork`.
        schedule: the forward process and its times.
        trainer: `Ridge`; `GradientFlow` with one time; or `Optax` on all draws in every step, only "sgd"
            with a constant rate for features and lazy networks. A `WideNetwork` takes `Optax` alone. Time
            is that of df/dtau = -(half the loss's gradient), so `Optax` reaches learning_rate * steps.
        weight: lambda(t), "sig2" or "one".
        steps: steps of sampling.
        samples: samples per model; 0 leaves their metrics out.
        fresh: draws on which the test loss is measured; 0 leaves it out.
        radius: None for a quarter of the smallest distance between data points.
        P: the one number of draws at which theory and trained models are compared; None: the sizes of a run
            are values of P, and the limit of infinitely many draws is compared.

    Raises:
        InputError: a part of another kind, a value outside its range, features of another dimension, or a
            trainer that is not for this model.
    """

    data: PointMasses
    model: ScoreModel = dataclasses.field(default_factory=GaussianFeatures)
    schedule: Diffusion = dataclasses.field(default_factory=VariancePreserving)
    trainer: Trainer = dataclasses.field(default_factory=lambda: Ridge(0.1))
    weight: str = "sig2"
    steps: int = 30
    samples: int = 1024
    fresh: int = 1024
    radius: float | None = None
    P: int | None = None

    name: ClassVar[str] = "ensemble_sampling"
    offers: ClassVar[tuple[str, ...]] = ("point set",)
    size: ClassVar[int | None] = None
    """The draws at hand, those of `at_size(P)` or of the field P; None is the limit of infinitely many. No
    field."""

    def __post_init__(self) -> None:
        check_type("data", self.data, PointMasses)
        check_type("model", self.model, ScoreModel)
        check_type("schedule", self.schedule, Diffusion)
        check_type("trainer", self.trainer, Trainer)
        _check_training(self.model, self.trainer)
        check_choice("weight", self.weight, WEIGHTS)
        for name, least in (("steps", 1), ("samples", 0), ("fresh", 0)):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least=least))
        if self.radius is not None:
            object.__setattr__(self, "radius", check_number("radius", self.radius, above=0))
        if self.P is not None:
            object.__setattr__(self, "P", check_integer("P", self.P, least=1))
            object.__setattr__(self, "size", self.P)
        self.model.check(self.data.dimension)

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Losses, and what is measured on samples."""
        return (_TRAIN, *((_TEST,) if self.fresh else ()), *(_SAMPLES if self.samples else ()))

    @property
    def default_theory(self) -> str:
        """The effective dynamics: for the least squares' minimum corrected, along the way first order."""
        exact = self.trainer.solution == "minimum"
        return "effective_dynamics" if exact else "effective_dynamics_first_order"

    @property
    def only_size(self) -> int | None:
        """P, where it is given."""
        return self.P

    @property
    def features(self) -> int:
        """F, where the model is a feature library."""
        return self.model.count(self.data.dimension)

    @property
    def gap_radius(self) -> float:
        """The radius beyond which a sample lies in a gap."""
        return 0.25 * self.data.least_distance if self.radius is None else self.radius

    def at_size(self, d: int) -> EnsembleSampling:
        """The same problem, with `size` P = d."""
        at = dataclasses.replace(self)
        object.__setattr__(at, "size", check_integer("d", d, least=1))
        return at

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all P of a bucket; see `arithmetic`."""
        kind = self.arithmetic(dtype)
        sampling = "float64" if kind == "float64" else "float32"
        training = self.trainer.weighted_kind
        trainer = None if self.trainer.optimiser is None else self.trainer
        kernel = EnsembleKernel(
            *(self.model, self.schedule.between(0.0, 1.0), self.weight, bucket(d), self.samples, self.fresh),
            sampling,
            *(training, trainer),
        )
        return kernel, self.inputs(d)

    def inputs(self, d: int) -> dict[str, Any]:
        """What the program reads: P, the trainer's numbers, steps, points."""
        points, masses = self.data.arrays()
        return {
            "n": np.float64(d),
            **{name: np.float64(value) for name, value in training_numbers(self.trainer).items()},
            "span": np.array([self.schedule.t_min, self.schedule.t_max]),
            "steps": jax.tree.map(np.asarray, flow_steps(self.schedule, self.steps)),
            "points": points,
            "masses": masses,
            "radius": np.float64(self.gap_radius),
        }

    def arithmetic(self, dtype: str = "auto") -> str:
        """Mixed: least squares in float64, networks and sampling in float32."""
        if dtype == "float32":
            raise InputError("dtype", dtype, "auto, mixed, float64", "the normal equations need float64")
        return "float64" if dtype == "float64" else "mixed"

    def notes(self) -> tuple[str, ...]:
        """What d means here."""
        summary = self.model.summary(self.data.dimension)
        return (f"The size d is P, the number of training draws; {summary}.",)

    def memory(self, d: int) -> int:
        """Bytes of training, of the losses, and of the samples."""
        training = self._model_cost(bucket(d)).memory + self._model_cost(self.fresh).memory
        return training + 8 * self.data.dimension * (self.samples + 40 * BLOCK)

    def cost(self, d: int) -> float:
        """Flops of training and of sampling."""
        cost = self._model_cost(bucket(d))
        return cost.training + self.steps * self.samples * cost.evaluation

    def _model_cost(self, rows: int) -> ModelCost:
        return self.model.cost(rows, self.data.dimension, self.trainer.steps_taken)


def _check_training(model: ScoreModel, trainer: Trainer) -> None:
    kind = trainer.weighted_kind
    if kind not in model.trainings:
        names = {
            "ridge": "Ridge",
            "flow": "GradientFlow",
            "descent": "Optax('sgd') with a constant rate",
            "optimiser": "any Optax",
        }
        allowed = ", ".join(names[each] for each in model.trainings)
        raise InputError("trainer", type(trainer).__name__, allowed, f"for {type(model).__name__}")


def train_models(problem: EnsembleSampling, size: int, models: int, seed: int = 0) -> Any:
    """Models trained on `size` draws each, model i from (seed, i) alone; arrays lead with the models.

    The draws depend on data, schedule, weight and target, not on the family: two families see the same ones.
    What a model is, `ScoreModel.fit` says: weights (G, D, F), float64, for features.
    """
    kernel, inputs = problem.kernel(size)
    assert isinstance(kernel, EnsembleKernel)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return _train(kernel, jax.random.split(key, models), jax.tree.map(jnp.asarray, inputs))


def evaluate_models(
    problem: EnsembleSampling,
    models: Any,
    x: Float[Array | np.ndarray, "n D"],
    t: Float[Array | np.ndarray, " n"],
) -> Float[Array, "G n D"]:
    """Outputs of models from `train_models` at pairs (x, t)."""
    span = jnp.array([problem.schedule.t_min, problem.schedule.t_max])
    return _evaluate(problem.model, models, jnp.asarray(x), jnp.asarray(t), span)


@functools.partial(jax.jit, static_argnums=0)
def _train(kernel: EnsembleKernel, keys: Array, inputs: dict[str, Any]) -> Any:
    return jax.lax.map(lambda key: kernel.train(key, inputs)[0], keys)


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(model: ScoreModel, models: Any, x: Array, t: Array, span: Array) -> Array:
    return jax.lax.map(lambda fitted: model.values(fitted, x, t, span), models)
