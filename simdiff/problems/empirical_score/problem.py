"""Backward diffusion with the exact score of n training points: when classes part, and when it memorizes.

Source: Biroli, Bonnaire, de Bortoli, Mezard, *Dynamical regimes of diffusion models*, arXiv 2402.18491.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from simdiff.data import DataLaw, GaussianMixture
from simdiff.data.gaussian_mixture import MixtureSampler
from simdiff.engine.padding import power_of_two
from simdiff.errors import InputError, check_choice, check_integer, check_number, check_type
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.empirical_score.kernel import EmpiricalKernel, PopulationKernel
from simdiff.problems.empirical_score.posterior import TrainingSet

_CLONES = Metric(
    "clone_agreement",
    "probability that two clones that share a trajectory until t end in the same class",
    label="agreement of clones",
)
_COLLAPSED = Metric(
    "collapsed",
    "share of trajectories that end on the training point that they are nearest to at t",
    label="share of collapsed trajectories",
)
_ENTROPY = Metric(
    "excess_entropy", "entropy of the training point given x_t, over d", label="excess entropy / $d$"
)
_TRAINING = Metric(
    "nearest_training",
    "squared distance of x_t to the nearest a x_i, over d",
    label="squared distance to the nearest training point / $d$",
)
_FRESH = Metric(
    "nearest_fresh",
    "the same to the nearest of n fresh points",
    label="squared distance to the nearest fresh point / $d$",
)
_MOST_POINTS = 10**8
_STORED_BYTES = 2**27
_BLOCK_ENTRIES = 2**17


@register("problem", "empirical_score")
@dataclasses.dataclass(frozen=True)
class EmpiricalScore(Problem):
    """The exact score of n training points, n = exp(alpha d) or psi_n d, and its backward trajectories.

    Forward process x_t = a x + sqrt(h) z with a = e^-t, h = 1 - e^-2t. A trial draws one training set and
    follows `trajectories` of them backwards from the largest of the times. At every time t it measures
    ``clone_agreement``, the probability that two clones which share the trajectory until t, and go on
    with noise of their own, end in the same class (given x_t it is the sum of the squared probabilities
    of the classes' points, which is averaged; data with classes only, and the SDE only, for the flow has
    no noise);
    ``collapsed``, the share of trajectories that end on the training point that they are nearest to at t;
    ``excess_entropy``, the entropy of the training point that x_t came from, over d: log(n)/d - I(x_0; x_t)/d
    where no single point dominates, 0 where one does; ``nearest_training`` and ``nearest_fresh``,
    min_i |x_t - a x_i|^2 / d over the training points and over as many fresh ones.

    Args:
        data: the law of x.
        alpha: log(n) / d; math.inf for the score of the population, whose only metric is
            ``clone_agreement``. 0.5 where neither it nor psi_n is given. On the command line: problem_alpha.
        psi_n: points per dimension, instead of alpha.
        times: at which the metrics are recorded, > 0.
        process: "sde", by exact draws from one time to the next, or "flow", the probability flow.
        steps: of the flow between two times; two passes over the points each.
        trajectories: of a training set.
        fresh: whether ``nearest_fresh`` is measured, which takes another pass over as many points.

    Raises:
        InputError: a value outside its range, alpha and psi_n both, or no metric that could be measured.
    """

    data: DataLaw = dataclasses.field(default_factory=GaussianMixture)
    alpha: float | None = None
    psi_n: float | None = None
    times: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6)
    process: str = "sde"
    steps: int = 16
    trajectories: int = 64
    fresh: bool = True

    name: ClassVar[str] = "empirical_score"
    size: ClassVar[int | None] = None
    """d, in a problem that `at_size(d)` returned: theory that is exact at finite d needs it. It is no
    field."""

    def __post_init__(self) -> None:
        check_type("data", self.data, DataLaw)
        if self.psi_n is not None and self.alpha is not None:
            raise InputError("psi_n", self.psi_n, "psi_n or alpha, not both", "set alpha=None")
        if self.psi_n is not None:
            object.__setattr__(self, "psi_n", check_number("psi_n", self.psi_n, above=0))
        if self.alpha is not None:
            object.__setattr__(self, "alpha", check_number("alpha", self.alpha, above=0, finite=False))
        object.__setattr__(self, "times", _check_times(self.times))
        check_choice("process", self.process, ("sde", "flow"))
        for name in ("steps", "trajectories"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least=1))
        if not isinstance(self.fresh, bool):
            raise InputError("fresh", self.fresh, "true or false")
        if not self.metrics:
            hint = "the score of the population has clones, in classes and with noise, and no training points"
            raise InputError("alpha", self.alpha, "a finite number here", hint)
        if self.population and not isinstance(self.data, GaussianMixture):
            raise InputError("data", type(self.data).__name__, "GaussianMixture, where alpha is inf")
        if self.only_size is not None:
            self.data.check_samples(self.count(self.only_size))

    @property
    def population(self) -> bool:
        """Whether there are infinitely many points at every size."""
        return self.alpha == math.inf

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Those of trajectories with classes and noise, and those of training points."""
        clones = (_CLONES,) if self.process == "sde" and self.data.classes > 1 else ()
        fresh = (_FRESH,) if self.fresh else ()
        return clones if self.population else (*clones, _COLLAPSED, _ENTROPY, _TRAINING, *fresh)

    @property
    def default_theory(self) -> str:
        """Exact at finite d for isotropic classes; limits for others."""
        return "empirical_score"

    def log_count(self, d: int) -> float:
        """log n at size d, before rounding."""
        if self.psi_n is not None:
            return math.log(self.psi_n * d)
        return (_DEFAULT_ALPHA if self.alpha is None else self.alpha) * d

    def count(self, d: int) -> int:
        """n at size d: rounded, at least 2.

        Raises:
            InputError: more than 10^8.
        """
        log_n = self.log_count(d)
        if log_n > math.log(_MOST_POINTS):
            largest = int(math.log(_MOST_POINTS) / log_n * d) if self.psi_n is None else 0
            hint = f"n = e^{log_n:.4g} at d = {d}" + (f"; at most d = {largest}" if largest else "")
            raise InputError("sizes", d, f"sizes at which n is at most {_MOST_POINTS}", hint)
        return max(2, round(math.exp(log_n)))

    def at_size(self, d: int) -> EmpiricalScore:
        """alpha, or psi_n, of the whole number n; `size` is d."""
        exact: dict[str, Any] = {}
        if not self.population:
            n = self.count(d)
            exact = {"psi_n": n / d} if self.psi_n is not None else {"alpha": math.log(n) / d}
        at = dataclasses.replace(self, data=self.data.at_size(d), **exact)
        object.__setattr__(at, "size", d)
        return at

    def ratios(self) -> Mapping[str, float]:
        """psi_n d and the data law's multiplicities should be integers; exp(alpha d) need not be."""
        return dict(self.data.ratios()) | ({} if self.psi_n is None else {"psi_n": self.psi_n})

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all numbers of points that are stored alike, and all times."""
        inputs = {"times": np.asarray(self.times), "data": self.data.inputs(d)}
        sampler = self.data.sampler(d)
        if self.population:
            assert isinstance(sampler, MixtureSampler)
            return PopulationKernel(sampler, self.trajectories), inputs
        n, block = self.count(d), self._block(d)
        product = "float64" if self.arithmetic(dtype) == "float64" else "float32"
        points = TrainingSet(sampler, d, self.data.classes, block, product)
        steps = self.steps if self.process == "flow" else 0
        names = tuple(metric.name for metric in self.metrics)
        kernel = EmpiricalKernel(points, self.trajectories, self._stored(d), steps, names)
        return kernel, inputs | {"n": np.int32(n)}

    def arithmetic(self, dtype: str = "auto") -> str:
        """float64; "mixed" asks for energies in float32, whose error is about 1e-7 d / h."""
        check_choice("dtype", dtype, ("auto", "mixed", "float64"))
        return "mixed" if dtype == "mixed" and not self.population else "float64"

    def notes(self) -> tuple[str, ...]:
        """What the data law has to say."""
        return self.data.notes()

    def memory(self, d: int) -> int:
        """Bytes of the stored points, and of a block of energies."""
        block = self._block(d)
        return (
            self.data.stored_bytes
            + 4 * 2 * self._stored(d) * d
            + 8 * (4 * block * (self.trajectories + d) + 8 * self.trajectories * d)
        )

    def cost(self, d: int) -> float:
        """Flops of one trial."""
        per_place = 2.0 * d * len(self.times) * self.trajectories
        if self.population:
            return 50.0 * per_place
        passes = 2 * self.steps if self.process == "flow" else 1
        n = self.count(d)
        return (
            (passes + self.fresh)
            * n
            * (2.0 * per_place + len(self.times) * (40.0 * self.trajectories + 30.0 * d))
        )

    def _block(self, d: int) -> int:
        most = min(4096, max(64, power_of_two(_BLOCK_ENTRIES // d)))
        return most if self.population else min(most, power_of_two(self.count(d), 64))

    def _stored(self, d: int) -> int:
        if self.population:
            return 0
        rows = power_of_two(self.count(d), 256)
        return rows if rows * d * 4 <= _STORED_BYTES else 0


_DEFAULT_ALPHA = 0.5


def _check_times(times: Any) -> tuple[float, ...]:
    """Different positive times, increasing."""
    allowed = "one or more different numbers > 0"
    try:
        found = sorted(check_number("times", t, above=0) for t in times)
    except TypeError:
        raise InputError("times", times, allowed) from None
    if not found or len(set(found)) < len(found):
        raise InputError("times", times, allowed)
    return tuple(found)
