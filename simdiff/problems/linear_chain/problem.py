"""Sampling with a chain of linear denoisers over a whole noise schedule, trained on one data set.

Source: Merger, Goldt, *Generalization dynamics of linear diffusion models*, arXiv 2505.24769.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.data import DataLaw, Gaussian
from simdiff.data.base import DiagonalSampler
from simdiff.engine.padding import bucket
from simdiff.errors import InputError, check_choice, check_integer, check_number, check_type
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem, describe
from simdiff.problems.linear_chain.kernel import SamplingKernel
from simdiff.sampling import Exact, Schedule, Training, spectral_functions
from simdiff.sampling.recursion import SpectralFunctions
from simdiff.trainers import GradientFlow, Ridge

_LOSSES = (
    Metric(
        "test", "test error, DSM loss on fresh data, averaged over the schedule's levels", label="test error"
    ),
    Metric(
        "train",
        "train error, the same average on the training data, without the ridge term",
        label="train error",
    ),
    Metric(
        "covariance",
        "squared error of the sampled covariance, |F - Sigma|_F^2 / d",
        label="error of the sampled covariance",
    ),
)
_DIVERGENCES = (
    Metric(
        "kl_sampled_target", "KL(sampled || target) per dimension", label=r"KL(sampled $\Vert$ target) / $d$"
    ),
    Metric(
        "kl_target_sampled", "KL(target || sampled) per dimension", label=r"KL(target $\Vert$ sampled) / $d$"
    ),
)
_MEAN = Metric("mean", "squared error of the sampled mean, |G mean|^2 / d", compare=False)
_DISTANCES = (
    Metric("nearest_training", "samples' mean squared distance to the nearest training point", compare=False),
    Metric("nearest_fresh", "the same to the nearest of as many fresh points", compare=False),
)
_OVERLAPS = (
    Metric(
        "consistency",
        "overlap of the samples that two models make of the same noise, over tr Sigma",
        label="overlap of two models' samples",
    ),
    Metric(
        "spread",
        "their mean squared distance per dimension",
        label="distance of two models' samples",
    ),
)
_PLANTED = (
    Metric(
        "recovery",
        "squared overlap of the sampled law's leading direction with the planted one",
        label="recovery of the planted direction",
    ),
    Metric(
        "planted_variance",
        "sampled variance along the planted direction, over the target's",
        label="variance along the planted direction",
    ),
)
_FLOW_HORIZON = 5.0
_PIECE = 128
_FLOAT32_LEAST = 1e-2
"""Share of the largest variance from which on a ridge, and variances that are divided by, bear the rounding
of eigenmodes in float32. With more samples than dimensions it moves every metric of a trial by less than a
hundredth of the metric's spread from trial to trial: the tests compare with float64. With fewer samples, or a
smaller ridge, or a smaller variance that is divided by, it may move one by more than all of its spread."""
_VANISHED = 1e-24
"""Rounding leaves no less than this of a sampled variance that is zero, squared factors of 1e-16 apart."""


@register("problem", "linear_sampling")
@dataclasses.dataclass(frozen=True)
class LinearSampling(Problem):
    """Train eps(x, t) = W_t x (+ b_t) on N = psi_n d samples at every noise level of a schedule, and sample.

    Forward process x_t = a x + sqrt(h) z. Training averages over infinitely many noise draws, exactly:
    W_t = f(Sigma_hat), f(x) = sqrt(h) (1 - e^{-tau C}) / C, C = a^2 x + h + ridge, with Sigma_hat the second
    moment of the training data (their covariance with a bias). The sampled law is Gaussian with covariance
    F(Sigma_hat), the target N(0, Sigma). All metrics are per dimension:
    ``kl_sampled_target`` and ``kl_target_sampled``; ``test``, (1/d) E |eps(x_t) - z|^2 on fresh data, and
    ``train``, the same on the training data, both averaged with equal weights over the levels at which the
    schedule calls the denoiser (`Exact`: the one level t = schedule.t); ``covariance`` |F - Sigma|_F^2 / d.
    Data with a planted direction (`data.Spiked`) add ``recovery``, the squared overlap of it with the
    eigenvector of Sigma_hat along which most variance is sampled, and ``planted_variance``, what is sampled
    along it, over the spike.
    Diagnostics that no theory predicts: with a bias ``mean``, |mean sampled|^2 / d; ``nearest_training`` and
    ``nearest_fresh``, the mean squared distance, over d, of generated samples to the nearest training point
    and to the nearest of as many fresh points. Samples come from the schedule's own steps.

    Args:
        data: the law of x: Gaussian, or points such as images, whose covariance then is the target's.
        trainer: None for the minimiser, `Ridge`, or `GradientFlow` in the unit of
            dW/dtau = -(W (a^2 Sigma_hat + h + ridge) - sqrt(h)), the same tau at every level.
        schedule: by default `Exact()`; with gradient flow `Exact(horizon=5)`.
        psi_n: samples per dimension, > 0.
        bias: learn b_t too; it is at its best value for W_t throughout training.
        kl: whether the divergences are metrics; they must be left out where they are infinite.
        samples: how many samples each trial generates; 0 leaves their metrics out.
        splits: 2 trains a second model on an independent training set and compares the samples that both
            make of the same noise z: x = F(Sigma_hat)^{1/2} z, which the probability flow does and any
            sampler whose law is this one can be coupled to do. ``consistency`` E x_1 x_2 / E |x|^2 with
            tr Sigma for the latter, ``spread`` (1/d) E |x_1 - x_2|^2.

    Raises:
        InputError: data that are Gaussian only in effect, more samples than there are points, a value
            outside its range, a schedule without a limit, or divergences that are infinite; the message says
            which and why.
    """

    data: DataLaw = dataclasses.field(default_factory=Gaussian)
    trainer: Ridge | GradientFlow | None = None
    schedule: Schedule | None = None
    psi_n: float = 4.0
    bias: bool = False
    kl: bool = True
    samples: int = 16
    splits: int = 1

    name: ClassVar[str] = "linear_sampling"
    size: ClassVar[int | None] = None
    """d, in a problem that `at_size(d)` returned or whose data have one size only: theories that are exact
    at finite d need it. It is no field: it takes no part in comparisons or descriptions, and
    `dataclasses.replace` forgets what `at_size` set."""

    def __post_init__(self) -> None:
        check_type("data", self.data, DataLaw)
        if not self.data.diagonal:
            hint = "the sampled law is compared with a Gaussian of the data's covariance"
            raise InputError("data", type(self.data).__name__, "a Gaussian law or images", hint)
        if self.trainer is not None:
            check_type("trainer", self.trainer, (Ridge, GradientFlow))
        if self.schedule is None:
            early = self.trainer is not None and self.trainer.recorded is not None
            object.__setattr__(self, "schedule", Exact(horizon=_FLOW_HORIZON) if early else Exact())
        check_type("schedule", self.schedule, Schedule)
        object.__setattr__(self, "psi_n", check_number("psi_n", self.psi_n, above=0))
        if self.only_size is not None:
            self.data.check_samples(self.count(self.only_size))
            object.__setattr__(self, "size", self.only_size)
        object.__setattr__(self, "samples", check_integer("samples", self.samples, least=0))
        object.__setattr__(self, "splits", check_integer("splits", self.splits, least=1))
        if self.splits > 2 or (self.splits == 2 and self.bias):
            raise InputError("splits", self.splits, "1 or 2", "two models are compared, without a bias")
        for name in ("bias", "kl"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(name, getattr(self, name), "true or false")
        _check_horizon(self.schedule, self.training())
        if self.kl:
            self._check_divergences()

    def _check_divergences(self) -> None:
        """Both are infinite where exactly one of the two laws is degenerate."""
        allowed = "data with a covariance of full rank, or kl=False"
        values, weights = self.data.spectrum()
        if self.data.has_flat_directions or values[weights > 0].min() == 0:
            hint = (
                "the target covariance is singular: KL(sampled || target) diverges, because tr Sigma^-1 F "
                "does, and so does KL(target || sampled), because -log det Sigma does; kl=False leaves "
                "them out"
            )
            if self.data.rank is not None:
                hint += f", data.components={self.data.rank} the directions without variance"
            raise InputError("data", type(self.data).__name__, allowed, hint)
        if self.psi_n <= 1 and self.singular:
            hint = (
                "N <= d samples leave the sampled covariance F singular without ridge or early stopping: "
                "KL(target || sampled) diverges, because tr Sigma F^-1 does, and below N = d so does "
                "KL(sampled || target), because -log det F does; set a trainer, or kl=False to leave them out"
            )
            raise InputError("psi_n", self.psi_n, "a number > 1 with trainer=None", hint)

    @property
    def singular(self) -> bool:
        """Whether sampling leaves no variance where the training data have none: F(0) = 0."""
        if self.times is not None or self.training().ridge > 0:
            return False
        plan = self._plan()
        if plan.continuous:
            return True
        variance = 1.0
        for factor, noise in zip(plan.keep + plan.push / np.sqrt(plan.h), plan.noise, strict=True):
            variance = factor**2 * variance + noise**2
        return bool(variance < _VANISHED)

    def spectral_functions(self, x: np.ndarray) -> SpectralFunctions:
        """What training and sampling make of eigenvalues x (k,) of Sigma_hat, real or complex: (times, k).

        This is the model's definition, so theories ask for it; they never see a training set. Long arrays
        are cut into pieces of one length, which share a compilation.
        """
        plan, training = self._plan(), self.training()
        x = np.asarray(x).astype(np.result_type(x, np.float64))
        padded = np.append(x, np.ones(-x.size % _PIECE)).reshape(-1, _PIECE)
        pieces = [spectral_functions(plan, training, jnp.asarray(piece)) for piece in padded]
        return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1)[:, : x.size], *pieces)

    @property
    def margin(self) -> float:
        """How far to the left of x = 0 the spectral functions, other than 1/F and log F, stay regular.

        The poles of f are at -(h + ridge) / a^2; early stopping replaces them by growth over 1 / tau.
        """
        plan, training = self._plan(), self.training()
        levels = float(np.min((plan.h + training.ridge) / plan.a**2))
        limit = plan.continuous
        if training.times is not None:
            return (0.0 if limit else levels) + float(training.ridge) + 1.0 / float(np.max(training.times))
        return min(levels, float(training.ridge)) if limit and training.ridge > 0 else levels

    def training(self) -> Training:
        """Ridge and training times as arrays."""
        times = None if self.times is None else np.asarray(self.times, np.float64)
        return Training(np.asarray(getattr(self.trainer, "ridge", 0.0), np.float64), times)

    def _plan(self) -> Any:
        assert self.schedule is not None
        return self.schedule.plan()

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Divergences unless left out, losses, and diagnostics."""
        found = (*(_DIVERGENCES if self.kl else ()), *_LOSSES)
        found = (*found, *(_OVERLAPS if self.splits == 2 else ()))
        found = (*found, *(() if self.data.planted() is None else _PLANTED))
        return (*found, *((_MEAN,) if self.bias else ()), *(_DISTANCES if self.samples else ()))

    def description(self) -> dict[str, Any]:
        """The fields; `splits` only where there are two, for digests are older than it."""
        fields = {f.name: describe(getattr(self, f.name)) for f in dataclasses.fields(self)}
        if self.splits == 1:
            del fields["splits"]
        return {"type": type(self).__name__, **fields}

    @property
    def default_theory(self) -> str | None:
        """One-point functionals of Sigma_hat: of Gaussian data, or those that the data law names."""
        if not self.data.gaussian_features:
            return None if self.bias else self.data.linear_theory
        stepwise = self.splits == 2 and not self._plan().continuous
        gaussian = self.bias or (self.singular and (self.kl or stepwise))  # no other theory has these
        return (None if gaussian else self.data.linear_theory) or "linear_sampling"

    @property
    def times(self) -> tuple[float, ...] | None:
        """Training times of gradient flow."""
        return getattr(self.trainer, "times", None)

    def count(self, d: int) -> int:
        """N at size d."""
        return max(1, round(self.psi_n * d))

    def at_size(self, d: int) -> LinearSampling:
        """psi_n and the spectrum as they come out at size d; `size` is d."""
        at = dataclasses.replace(self, data=self.data.at_size(d), psi_n=self.count(d) / d)
        object.__setattr__(at, "size", d)
        return at

    def ratios(self) -> Mapping[str, float]:
        """N and the data law's multiplicities should be integers."""
        return {"psi_n": self.psi_n, **self.data.ratios()}

    def arithmetic(self, dtype: str = "auto") -> str:
        """With "mixed" (or "float32") the eigenmodes are found in float32, all else is in float64.

        "auto" does so where that is accurate enough: see `_FLOAT32_LEAST`, and no single mode may count.
        """
        check_choice("dtype", dtype, ("auto", "float32", "mixed", "float64"))
        if dtype != "auto":
            return "float64" if dtype == "float64" else "mixed"
        single = self.splits == 2 or self.data.planted() is not None
        if single or self.times is not None or self.psi_n <= 1:
            return "float64"
        values, weights = self.data.spectrum()
        variances = values[weights > 0]
        least = min([float(self.training().ridge), *([variances.min()] if self.kl else [])])
        return "mixed" if least >= _FLOAT32_LEAST * variances.max() else "float64"

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all ridges, spectra and schedules of as many steps in one arithmetic."""
        n = self.count(d)
        if self.kl and self.singular and n - self.bias <= d + 1:
            hint = f"N = {n}: the mean of tr Sigma F^-1 over training sets is infinite"
            raise InputError(
                "sizes", d, "sizes with N > d + 1 (one more with a bias) for KL(target || sampled)", hint
            )
        sampler = self.data.sampler(d)
        assert isinstance(sampler, DiagonalSampler)
        rows = bucket(n)
        spiked = self.data.planted() is not None
        modes_in = jnp.float32 if self.arithmetic(dtype) == "mixed" else jnp.float64
        kernel = SamplingKernel(
            sampler, rows, rows < d, self.bias, self.kl, self.samples, self.splits, spiked, modes_in
        )
        plan, training, data = self._plan(), self.training(), self.data.inputs(d)
        return kernel, {"n": np.int32(n), "training": training, "plan": plan, "data": data}

    def notes(self) -> tuple[str, ...]:
        """What the data law has to say."""
        return self.data.notes()

    def memory(self, d: int) -> int:
        """Bytes of the samples, of a few squares of the smaller side, and of what is generated."""
        rows, runs = bucket(self.count(d)), len(self.times or (0,))
        return self.data.stored_bytes + 8 * (
            3 * rows * d + 5 * min(rows, d) ** 2 + runs * self.samples * (2 * d + rows) + 20 * runs * d
        )

    def cost(self, d: int) -> float:
        """Flops of one trial."""
        rows, runs = bucket(self.count(d)), len(self.times or (0,))
        side, steps = min(rows, d), self._plan().a.size
        spectral = 20.0 * side**3 + 2.0 * rows * d * side
        return (
            spectral + 20.0 * steps * d * (runs + self.samples) + 4.0 * runs * self.samples * d * (rows + d)
        )


def _check_horizon(schedule: Any, training: Training) -> None:
    """Raise `InputError` where sampling from an infinite horizon has no limit."""
    if not schedule.from_infinity:
        return
    ridge = float(training.ridge)
    if training.times is not None:
        why = "denoisers stopped early undo too little noise: the variance may grow with the horizon"
    elif ridge > 0 and schedule.process == "flow":
        why = "with a ridge the probability flow's variance grows with the horizon without bound"
    elif ridge >= 1:
        why = "with a ridge >= 1 the reverse SDE's variance grows with the horizon without bound"
    else:
        return
    raise InputError("schedule.horizon", schedule.horizon, "a finite number such as 5 here", why)
