"""The contract of a trainer: what problems, kernels and theories need to know of it.

What a trainer does in a trial is said by the kernel that a problem has for it: `trial_kernel` of
`simdiff.problems.denoising.dispatch` in denoising score matching.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Literal

Solution = Literal["minimum", "path"] | None


class Trainer(abc.ABC):
    """A way to train; concrete trainers are frozen dataclasses with a field `ridge`, lambda of the loss."""

    ridge: float

    exact: ClassVar[bool] = False
    """Whether U or K is solved with: then the smaller of the two is, and devices share its rows."""

    splits: ClassVar[bool] = False
    """Whether devices can split the p x p matrices of one trial."""

    runs_long: ClassVar[bool] = True
    """Whether a trial takes much longer than compiling it: then features are padded little."""

    fresh_noise: bool = False
    """Whether noise is drawn anew in every step, which is m = infinity without an average."""

    @property
    @abc.abstractmethod
    def solution(self) -> Solution:
        """What theory has to know: "minimum", the exact "path" of descent or flow, or None, neither."""

    @property
    @abc.abstractmethod
    def smallest_scale(self) -> float:
        """The smallest eigenvalue of U that training resolves; infinity where it solves nothing."""

    @property
    @abc.abstractmethod
    def weighted_kind(self) -> str:
        """How models of point sets are trained: ridge, flow, descent or optimiser, see `WeightedTraining`.

        Raises:
            InputError: settings that are not for such models.
        """

    @property
    def recorded(self) -> tuple[float, ...] | None:
        """Recorded times or steps; None where there is nothing but the result."""
        return None

    @property
    def training_times(self) -> tuple[float, ...]:
        """Training time at the recorded times; zero where training takes none."""
        return (0.0,)

    @property
    def step(self) -> float:
        """The step of plain descent; zero for a flow, and where the path is not known."""
        return 0.0

    @property
    def steps_taken(self) -> int:
        """Gradient steps."""
        return 1

    @property
    def optimiser(self) -> Any:
        """The optax optimiser of gradient training, an `optax.GradientTransformation`; None without one."""
        return None

    def measured(self, trained: Any, memory: Any) -> Any:
        """The parameters that metrics are measured on, given those now and the optimiser's memory."""
        return trained

    def flops(self, p: int, d: int) -> float:
        """Flops of training d outputs on p features, where that is more than solving once; else 0."""
        return 0.0

    def check_draws(self, m: float) -> None:
        """Raise `InputError` where this trainer cannot be used with m noise draws per sample."""
        return
