"""The contract between the engine and the physics.

A *problem* knows how to run one Monte-Carlo trial at size d from a random key and returns named
metrics. A *theory* maps a problem's description to the same names. The engine, the store, the
statistics, the figures and the command line are written against this file alone.

To add a problem, subclass `Problem` as a frozen dataclass, list its `metrics` and write `trial`.
Everything else has a default. A problem whose compiled program should serve many parameter values
also overrides `kernel`.
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

Inputs = Any
"""A pytree of arrays: what may differ between problems that share one compiled program."""

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

    def rounding(self, eps: float) -> float:
        """Absolute error that arithmetic of relative accuracy `eps` may leave in the metric."""
        return 8 * self.scale * eps**self.power


class Problem(abc.ABC):
    """One Monte-Carlo experiment, complete but for its size d and its seed."""

    name: ClassVar[str] = ""
    offers: ClassVar[tuple[str, ...]] = ()
    """What figures may ask for beside trials: "features", whose Gram matrix has a spectrum; "point set"."""

    metrics: tuple[Metric, ...] = ()  # a class attribute, or a property where it depends on the fields

    def trial(self, key: Any, d: int) -> Mapping[str, Any]:
        """One trial at size d: {metric name: scalar}, in JAX operations (it runs under vmap and jit)."""
        raise TypeError(f"{type(self).__name__} defines neither trial() nor kernel()")

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

    def describe(self) -> dict[str, Any]:
        """The problem as plain values, nested as its constructor arguments are."""
        return describe(self)

    def digest(self) -> str:
        """16 hex digits that identify the problem: part of every trial's key and of its row.

        They come from the class, its module where that is not simdiff's own, and the field values; not
        from the code of `trial`: rename the class, or use another folder, when that changes.
        """
        module = type(self).__module__
        own = module.split(".")[0] == "simdiff"
        text = ("" if own else module) + json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class PlainKernel(Kernel):
    """The kernel of a problem that only has `trial`: compiled once for each problem and size."""

    problem: Problem
    d: int

    def __call__(self, key: Any, inputs: Inputs) -> Mapping[str, Any]:
        """Run the trial."""
        return self.problem.trial(key, self.d)


def describe(value: Any) -> Any:
    """Dataclasses as {"type": name, **fields}, tuples as lists, infinities as strings: JSON-ready."""
    custom = getattr(value, "description", None)
    if custom is not None and not isinstance(value, type):
        return custom()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (tuple, list)):
        return [describe(v) for v in value]
    if isinstance(value, np.generic):
        return describe(value.item())
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def flatten(description: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"model": {"type": "X", "psi_p": 4}} -> {"model": "X", "model.psi_p": 4}."""
    flat: dict[str, Any] = {}
    for name, value in description.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat[path] = value.get("type", "")
            flat |= flatten({k: v for k, v in value.items() if k != "type"}, f"{path}.")
        else:
            flat[path] = value
    return flat
