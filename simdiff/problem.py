"""The contract between the engine and the physics.

A *problem* knows how to run one Monte-Carlo trial at size d from a random key and returns named
metrics. A *theory* maps a problem's description to the same names. The engine, the store, the
statistics, the figures and the command line are written against this file alone.

To add a problem, subclass `Problem` as a frozen dataclass, list its `metrics` and write `trial`, or
`trial_host` where it is not in JAX. Everything else has a default. A problem whose compiled program should
serve many parameter values also overrides `kernel`.
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from simdiff.errors import check_integer, check_number, check_type
from simdiff.identity.description import describe
from simdiff.identity.fingerprint import fingerprints

Inputs = Any
"""A pytree of arrays: what may differ between problems that share one compiled program."""

MOST_TRIALS = 2**32
"""The index of a trial is a word of 32 bits of its key."""

SHARED_AXIS = "shares"
"""The mesh axis of devices that share one trial: see `Problem.shares_rows` and `Problem.split_memory`."""


class Kernel(abc.ABC):
    """The program of one trial; concrete kernels are hashable, and equal ones share a compilation."""

    @abc.abstractmethod
    def __call__(self, key: Any, inputs: Inputs) -> Mapping[str, Any]:
        """Run the trial with this key, in pure JAX: {metric: scalar or (times,) array}."""

    @property
    def runs_long(self) -> bool:
        """Whether faster trials are worth a longer compilation."""
        return False

    @property
    def resumable_steps(self) -> int:
        """Steps between which a trial can be stopped and taken up again, see `window`; 0: there are none."""
        return 0

    def window(self, key: Any, inputs: Inputs, state: Any, first: Any, last: Any) -> tuple[Any, Any]:
        """(state, metrics) after the steps from `first` to `last`, in pure JAX.

        Args:
            key: as for a call.
            inputs: as for a call.
            state: a pytree of arrays, what the window that ended at `first` gave; of no account at first = 0,
                where None may take its place.
            first: steps that are done.
            last: steps that are done afterwards.

        Returns:
            The state, and the metrics as far as they are known: after all `resumable_steps` those of a call,
            to the bit, in whatever windows.
        """
        raise TypeError(f"{type(self).__name__} has no steps to stop between")

    def shared(self, devices: int) -> Kernel:
        """What each of several devices runs that share the rows of a trial; see `Problem.shares_rows`."""
        raise TypeError(f"{type(self).__name__} cannot be shared: Problem.shares_rows must be false")

    def split(self, devices: int) -> Kernel:
        """What each of several devices runs that split its matrices; see `Problem.split_memory`."""
        raise TypeError(f"{type(self).__name__} cannot be split: Problem.split_memory must not fall")


@dataclasses.dataclass(frozen=True)
class Metric:
    """A named number that one trial returns.

    Args:
        name: as trials and theories return it.
        meaning: what it is, with its normalisation or unit, in some words.
        compare: False for diagnostics that no theory predicts; they are stored and averaged only.
        label: its name on axes and in legends, in mathtext; by default the words of `name`.
        scale: size of the terms whose differences the metric is, 0 where it is no such difference.
        power: 1, or 2 for a mean of squared differences: arithmetic rounds the metric at 8 scale eps^power.
    """

    name: str
    meaning: str = ""
    compare: bool = True
    label: str = ""
    scale: float = 0.0
    power: int = 1

    def __post_init__(self) -> None:
        for field in ("name", "meaning", "label"):
            check_type(f"metric.{field}", getattr(self, field), str)
        check_type("metric.compare", self.compare, bool)
        object.__setattr__(self, "scale", check_number("metric.scale", self.scale, least=0))
        object.__setattr__(self, "power", check_integer("metric.power", self.power, least=1, most=2))

    def rounding(self, eps: float) -> float:
        """Absolute error that arithmetic of relative accuracy `eps` may leave in the metric."""
        return 8 * self.scale * eps**self.power


class Problem(abc.ABC):
    """One Monte-Carlo experiment, complete but for its size d and its seed."""

    name: ClassVar[str] = ""
    processes: ClassVar[int | None] = None
    """How many processes run `trial_host` at once; None: one for each core."""

    offers: ClassVar[tuple[str, ...]] = ()
    """What figures may ask for beside trials: "features", whose Gram matrix has a spectrum; "point set"."""

    metrics: tuple[Metric, ...] = ()  # a class attribute, or a property where it depends on the fields

    def trial(self, key: Any, d: int) -> Mapping[str, Any]:
        """One trial at size d: {metric name: scalar}, in JAX operations (it runs under vmap and jit)."""
        raise TypeError(f"{type(self).__name__} defines neither trial(), trial_host() nor kernel()")

    def trial_host(self, rng: np.random.Generator, d: int) -> Mapping[str, Any]:
        """One trial at size d in any Python: {metric name: number, or one for each of `times`}.

        Define it in place of `trial`. It is run in processes of one thread each, and all its random numbers
        are to come from `rng`.
        """
        raise TypeError(f"{type(self).__name__} does not define trial_host()")

    @property
    def on_host(self) -> bool:
        """Whether trials are run by `trial_host`."""
        return type(self).trial_host is not Problem.trial_host

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, Inputs]:
        """The program of one trial at size d, and its inputs. Equal kernels share a compilation.

        `dtype` asks for an arithmetic ("float32", "mixed", "float64"); a problem may have only one.
        """
        return PlainKernel(self, d), ()

    def arithmetic(self, dtype: str = "auto") -> str:
        """The arithmetic that `kernel` uses when asked for `dtype`: stored with every trial."""
        return "float64"

    def at_size(self, d: int) -> Problem:
        """This problem at the ratios that size d really has after rounding: what theory is given."""
        return self

    def ratios(self) -> Mapping[str, float]:
        """The ratios to d whose products with d should be integers: sizes are rounded towards that."""
        return {}

    @property
    def default_theory(self) -> str | None:
        """The theory compared with when none is named; None: the problem has none of its own."""
        return None

    @property
    def times(self) -> tuple[float, ...] | None:
        """The times at which metrics are recorded, or None for a problem without a time axis."""
        return None

    @property
    def only_size(self) -> int | None:
        """The one size that there is, if the problem's `data` have one size only; None: any size."""
        return getattr(getattr(self, "data", None), "only_size", None)

    @property
    def has_limit(self) -> bool:
        """Whether sizes can be extrapolated; if not, results are those of one size."""
        return True

    @property
    def approximate(self) -> bool:
        """Whether theories are of another problem that is only like this one: then they get no verdict."""
        return False

    def for_theory(self, theory: Any) -> Problem:
        """What a theory is asked about in place of this problem."""
        return self

    def failures(self, values: Mapping[str, np.ndarray]) -> np.ndarray | str:
        """The status of rows whose metrics, (rows,) arrays, are not all finite: one, or one for each row."""
        return "non-finite"

    def notes(self) -> tuple[str, ...]:
        """What a reader of the results must know: stated in the report."""
        return ()

    def shares_rows(self, d: int) -> bool:
        """Whether devices may share one trial.

        Then `Kernel.shared(devices)` is a kernel that each of them runs under `shard_map` with the axis
        `SHARED_AXIS`, and that gives every one of them the metrics.
        """
        return False

    def memory(self, d: int) -> int:
        """Bytes that one trial at size d needs at its peak; 0 when unknown."""
        return 0

    def split_memory(self, d: int, devices: int) -> int:
        """Bytes on each of that many devices that split one trial at size d; with one of them, `memory(d)`.

        Where more devices need fewer, `Kernel.split(devices)` is a kernel that each of them runs as
        `shares_rows` says, and that holds a part of the trial's largest arrays only.
        """
        return self.memory(d)

    def cost(self, d: int) -> float:
        """Flops of one trial at size d, up to a constant factor: how trials are spread over sizes."""
        return float(d) ** 3

    def padded_cost(self, d: int) -> float:
        """Flops with those of padding, which points that share a program share: for the size of batches."""
        return self.cost(d)

    def describe(self) -> dict[str, Any]:
        """The problem as plain values, nested as its constructor arguments are."""
        return describe(self)

    def digest(self) -> str:
        """16 hex digits that identify the problem: part of every trial's row.

        They come from the class, its module where that is not simdiff's own, the field values, and the
        user's own code in it: that of `trial`, `trial_host`, `kernel` and what these use, and functions in
        fields.
        A class or function with an attribute `version` is identified by that in place of its code.
        """
        code = self.code()
        return _digits(self._text() + (json.dumps(code, sort_keys=True) if code else ""))

    def stream(self) -> str:
        """16 hex digits that are part of every trial's key: from class, module and fields, but not from code.

        So an edit that changes no number indeed changes none.
        """
        return _digits(self._text())

    def code(self) -> dict[str, str]:
        """{part of the problem: digits of its code} where that is the user's own; see `fingerprint`."""
        return fingerprints(self, ("trial", "trial_host", "kernel", "times"))

    def _text(self) -> str:
        own = type(self).__module__.split(".")[0] == "simdiff"
        return ("" if own else type(self).__module__) + json.dumps(self.describe(), sort_keys=True)


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class PlainKernel(Kernel):
    """The kernel of a problem that only has `trial`: compiled once for each problem and size."""

    problem: Problem
    d: int

    def __call__(self, key: Any, inputs: Inputs) -> Mapping[str, Any]:
        """Run the trial."""
        return self.problem.trial(key, self.d)
