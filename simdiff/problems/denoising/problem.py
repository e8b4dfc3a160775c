"""Denoising score matching at one noise level with a random-feature or a linear score network.

Sources: George, Veiga, Macris, arXiv 2502.00336, for m = 1 and m = infinity; any m between. Merger, Goldt,
arXiv 2505.24769, for linear denoisers at m = infinity.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from simdiff.data import DataLaw, Gaussian
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.padding import SHORTEST, block_rows, bucket, power_of_two
from simdiff.errors import InputError, check_number, check_type
from simdiff.models import RandomFeatures
from simdiff.models.denoising.base import ScoreNetwork
from simdiff.parts.registry import register
from simdiff.problem import Kernel, Metric, Problem
from simdiff.problems.denoising import metrics
from simdiff.problems.denoising.arithmetic import Arithmetic, choose
from simdiff.problems.denoising.dispatch import feature_map
from simdiff.problems.denoising.measurement import Measurements, measurements
from simdiff.problems.denoising.output_channel import nodes_for
from simdiff.problems.denoising.program import TrialProgram
from simdiff.problems.denoising.shape import Shape
from simdiff.problems.denoising.trial_map import TrialMap
from simdiff.trainers import Ridge, Trainer

_STORED_SAMPLES_BYTES = 2**27
_MOST_ROWS = 2**31 - 1
_MANY = 10**6
"""A size at which rounding to whole numbers does not matter."""
_SMALL_BLOCK = 256
"""Rows a block of the exact noise average at most, which holds several arrays of that many rows."""


@register("problem", "denoising")
@dataclasses.dataclass(frozen=True)
class DenoisingScoreMatching(Problem):
    """Train s_A on n = psi_n d samples with m noise draws each, at time t.

    Forward process x_t = a x + sqrt(h) z with a = e^-t, h = 1 - e^-2t. All metrics are per dimension:
    ``test`` (1/d) E ||sqrt(h) s_A(x_t) + z||^2 on fresh x and z; ``train`` the same average over the
    n m training pairs, without the ridge term; ``score`` (1/d) E ||s_A - grad log P_t||^2 on fresh
    x_t, so that test = h score + floor; ``memorization`` the test error at training samples with
    fresh noise; ``objective`` the minimised loss, ridge term included. With data on a manifold also
    ``floor``, the least test error of any function, (1/d) E ||z - E[z | x_t]||^2; on a linear manifold
    with psi_D < 1 also ``test_parallel`` and ``test_orthogonal``, the test error per dimension inside and
    outside of it: test = psi_D test_parallel + (1 - psi_D) test_orthogonal.

    Args:
        data: the law of x.
        model: the score network: `RandomFeatures`, whose second layer is trained, or `Linear`.
        trainer: how it is trained.
        psi_n: samples per dimension, > 0.
        m: noise draws per sample, an integer >= 1 or math.inf (exact noise average, no draws).
        t: time, > 0.
    """

    data: DataLaw = dataclasses.field(default_factory=Gaussian)
    model: ScoreNetwork = dataclasses.field(default_factory=lambda: RandomFeatures(4.0))
    trainer: Trainer = dataclasses.field(default_factory=lambda: Ridge(1e-3))
    psi_n: float = 2.0
    m: float = 1
    t: float = 0.1

    name: ClassVar[str] = "denoising"
    offers: ClassVar[tuple[str, ...]] = ("features",)

    def __post_init__(self) -> None:
        check_type("data", self.data, DataLaw)
        check_type("model", self.model, ScoreNetwork)
        check_type("trainer", self.trainer, Trainer)
        object.__setattr__(self, "psi_n", check_number("psi_n", self.psi_n, above=0))
        object.__setattr__(self, "t", check_number("t", self.t, above=0))
        object.__setattr__(self, "m", check_draws(self.m))
        if self.data.only_size is not None:
            self.data.check_samples(self.counts(self.data.only_size)[0])
        self.trainer.check_draws(self.m)
        self.model.check_training(self.trainer, self.m)

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Five errors; the Bayes floor where trials differ in it; the parts of the test error."""
        measured = (kind.metric for kind in self._measurements)
        residuals = self.trainer.exact and self.psi_n * self.m < self.model.width(_MANY) / _MANY
        mine = (*metrics.of_data(self.data), *self.model.diagnostics)
        return (*metrics.with_rounding(mine, self.t, residuals), *measured)

    @property
    def _measurements(self) -> Measurements:
        """What is measured on the second layer, where there is one."""
        return measurements(self.data) if self._network.second_layer else ()

    @property
    def default_theory(self) -> str | None:
        """Theory knows the exact minimiser, and flow or descent towards it of data without classes."""
        if self.trainer.solution == "minimum" and self.model.theory and self.data.minimum_theory:
            return self.data.minimum_theory
        theories = {"minimum": self.model.theory, "path": self.model.path_theory}
        found = theories.get(self.trainer.solution or "")
        known = self.trainer.solution == "minimum" or math.isinf(self.m)
        linear = self.data.linear_theory if found and known and self.model.linear else None
        return linear or (found if self.data.gaussian_features else None)

    @property
    def times(self) -> tuple[float, ...] | None:
        """Recorded times or steps of a gradient trainer; None for the exact minimiser."""
        return self.trainer.recorded

    @property
    def has_limit(self) -> bool:
        """Whether the network grows with d."""
        return self.model.has_limit

    @property
    def approximate(self) -> bool:
        """Whether theories describe another network."""
        return self.model.approximate

    def for_theory(self, theory: Any) -> Problem:
        """With the model that this one is like; theories of the minimum alone are told that it is reached."""
        model = self.model.stand_in
        if model is None or model is self.model:
            return self
        minimum = getattr(theory, "solution", None) == "minimum" and self.trainer.solution != "minimum"
        trainer = Ridge(self.trainer.ridge) if minimum else self.trainer
        return dataclasses.replace(self, model=model, trainer=trainer)

    def failures(self, values: Mapping[str, np.ndarray]) -> np.ndarray | str:
        """Names the step at which the loss was not finite, where it was recorded."""
        if "diverged" not in values:
            return super().failures(values)
        steps = np.nan_to_num(values["diverged"]).astype(int)
        return np.array([f"non-finite loss at step {step}" if step else "non-finite" for step in steps])

    def at_size(self, d: int) -> DenoisingScoreMatching:
        """psi_n, psi_p and the spectrum as they come out at size d."""
        n, _ = self.counts(d)
        model = self.model.at_size(d)
        return dataclasses.replace(self, data=self.data.at_size(d), model=model, psi_n=n / d)

    def counts(self, d: int) -> tuple[int, int]:
        """(n, p) at size d: rounded, at least 1."""
        return max(1, round(self.psi_n * d)), self.model.width(d)

    def ratios(self) -> Mapping[str, float]:
        """n, p and the data law's multiplicities should be integers."""
        return {"psi_n": self.psi_n, **self.model.ratios(), **self.data.ratios()}

    def arithmetic(self, dtype: str = "auto") -> str:
        """The precision that this ridge or time needs; optax solves nothing, so float32 will do."""
        return self.precision(dtype).name

    @property
    def _network(self) -> TrialMap:
        return feature_map(self.model)

    def precision(self, dtype: str) -> Arithmetic:
        """The arithmetic of trials when `dtype` is asked for."""
        return choose(dtype, self.trainer.smallest_scale)

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, dict[str, Any]]:
        """A program shared by all ratios in a shape bucket, all ridges, times t and spectra."""
        return self._network.kernel(self, d, *self.trial_program(d, dtype))

    def trial_program(self, d: int, dtype: str) -> tuple[TrialProgram, dict[str, Any]]:
        """The part of a kernel that draws samples, noise and features, and its inputs."""
        program = TrialProgram(
            self.shape(d),
            self.data.sampler(d),
            self._network,
            self.precision(dtype),
            tuple(metric.name for metric in self.metrics),
            self._measurements,
        )
        n, p = self.counts(d)
        draws = 1 if math.isinf(self.m) else int(self.m)
        a = math.exp(-self.t)
        inputs = {
            "n": np.int32(n),
            "p": np.int32(p),
            "m": np.int32(draws),
            "a": np.float64(a),
            "h": np.float64(-math.expm1(-2 * self.t)),
            "ridge": np.float64(self.trainer.ridge),
            "data": self.data.inputs(d),
        }
        return program, inputs

    def notes(self) -> tuple[str, ...]:
        """What data law and network have to say, and how m = infinity was simulated."""
        said = (*self.data.notes(), *self.model.notes())
        exact = math.isinf(self.m) and not self.trainer.fresh_noise
        return (*said, self._network.average_note) if exact else said

    def shares_rows(self, d: int) -> bool:
        """Where rows are streamed: exact training on more rows than features."""
        return self.trainer.exact and not self.shape(d).dual_rows

    def memory(self, d: int) -> int:
        """Bytes that one trial holds at its peak."""
        return self._network.memory(self, d, ALL_COLUMNS)

    def split_memory(self, d: int, devices: int) -> int:
        """With exact training of random features, p x p matrices are split, or those of n m x n m."""
        splits = self.trainer.splits and self.model.splits
        return self._network.memory(self, d, ColumnShares(devices) if splits else ALL_COLUMNS)

    def cost(self, d: int) -> float:
        """Flops of one trial."""
        return self._network.cost(self, d)

    def padded_cost(self, d: int) -> float:
        """With those of padded features."""
        return self._network.padded_cost(self, d)

    def shape(self, d: int) -> Shape:
        """The static shapes of a trial at size d."""
        n, p = self.counts(d)
        exact = math.isinf(self.m)
        rows = n if exact else n * int(self.m)
        if rows > _MOST_ROWS:
            raise InputError("m", self.m, f"n m <= {_MOST_ROWS} rows", f"n = {n} at d = {d}")
        dual = self.trainer.exact and not exact and rows < p
        stored, rho = power_of_two(n, SHORTEST), self.data.score_nonlinearity
        return Shape(
            d=d,
            p=self._network.stored_width(p, d, fine=self.trainer.runs_long),
            block=min(_SMALL_BLOCK, stored) if exact else block_rows(rows, p),
            stored_rows=stored if stored * d * 4 <= _STORED_SAMPLES_BYTES else 0,
            dual_rows=bucket(rows, least=SHORTEST) if dual else 0,
            exact_noise=exact,
            score_nodes=0 if rho is None else nodes_for(rho, self.t),
        )


def check_draws(m: Any) -> float:
    """The number m as an int >= 1 or math.inf."""
    allowed = "an integer >= 1 or math.inf"
    number = math.nan
    if isinstance(m, numbers.Real) and not isinstance(m, bool):
        with contextlib.suppress(OverflowError):  # an int beyond the range of floats
            number = float(m)
    if not number >= 1:
        raise InputError("m", m, allowed, "m counts the noise draws of each sample")
    if math.isinf(number):
        return math.inf
    if not number.is_integer():
        raise InputError("m", m, allowed)
    return int(m)
