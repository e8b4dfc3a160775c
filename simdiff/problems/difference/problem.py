"""Two problems computed from the same random keys: the metrics of the second minus those of the first.

Where the sizes of their arrays agree, so do data, noise and features, and what they have in common drops out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from simdiff.errors import InputError
from simdiff.problem import Inputs, Kernel, Metric, Problem


@dataclasses.dataclass(frozen=True)
class Difference(Problem):
    """What the second problem has more than the first.

    Args:
        first: a problem.
        second: another one, with the same times, and the same size where the data have one only.

    Raises:
        InputError: no metric in common, other times, other only sizes.
    """

    first: Problem
    second: Problem

    def __post_init__(self) -> None:
        for name in ("first", "second"):
            if not isinstance(getattr(self, name), Problem):
                raise InputError(name, getattr(self, name), "an instance of a simdiff.Problem")
        for name in ("times", "only_size"):
            mine, other = getattr(self.first, name), getattr(self.second, name)
            if mine != other:
                raise InputError(f"second.{name}", other, f"{mine}, as of the first problem")
        if not self.metrics:
            known = ", ".join(metric.name for metric in self.first.metrics if metric.compare)
            allowed = f"a problem with a metric of the first: {known}"
            raise InputError("second", type(self.second).__name__, allowed)

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """Those that both have and that are compared."""
        theirs = {metric.name: metric for metric in self.second.metrics if metric.compare}
        common = [metric for metric in self.first.metrics if metric.compare and metric.name in theirs]
        return tuple(_difference(metric, theirs[metric.name]) for metric in common)

    def kernel(self, d: int, dtype: str = "auto") -> tuple[Kernel, Inputs]:
        """Both kernels, one after the other, with the same key."""
        (one, its), (two, theirs) = (p.kernel(d, dtype) for p in (self.first, self.second))
        return PairKernel(one, two, tuple(metric.name for metric in self.metrics)), (its, theirs)

    def arithmetic(self, dtype: str = "auto") -> str:
        """The coarser one."""
        both = {problem.arithmetic(dtype) for problem in (self.first, self.second)}
        return min(both, key=("float32", "mixed", "float64").index)

    def at_size(self, d: int) -> Problem:
        """The difference of both at that size."""
        return Difference(self.first.at_size(d), self.second.at_size(d))

    def ratios(self) -> Mapping[str, float]:
        """Those of both."""
        both = {"first": self.first, "second": self.second}
        return {f"{name}.{key}": v for name, problem in both.items() for key, v in problem.ratios().items()}

    @property
    def default_theory(self) -> str | None:
        """The difference of the theories, where both have one."""
        both = (self.first.default_theory, self.second.default_theory)
        return "difference" if None not in both else None

    @property
    def times(self) -> tuple[float, ...] | None:
        """Of both."""
        return self.first.times

    @property
    def only_size(self) -> int | None:
        """Of both."""
        return self.first.only_size

    def notes(self) -> tuple[str, ...]:
        """Of either."""
        return tuple(dict.fromkeys([*self.first.notes(), *self.second.notes()]))

    def memory(self, d: int) -> int:
        """Of both at once."""
        return self.first.memory(d) + self.second.memory(d)

    def cost(self, d: int) -> float:
        """Of both."""
        return self.first.cost(d) + self.second.cost(d)


@dataclasses.dataclass(frozen=True)
class PairKernel(Kernel):
    """key, (inputs of one, inputs of two) -> differences of the metrics `names`."""

    one: Kernel
    two: Kernel
    names: tuple[str, ...]

    @property
    def runs_long(self) -> bool:
        """Whether one of them does."""
        return self.one.runs_long or self.two.runs_long

    def __call__(self, key: Any, inputs: Inputs) -> Mapping[str, Any]:
        """Run both."""
        first, second = self.one(key, inputs[0]), self.two(key, inputs[1])
        return {name: second[name] - first[name] for name in self.names}


def _difference(mine: Metric, other: Metric) -> Metric:
    label = f"difference of {mine.label}" if mine.label else ""
    scale, power = max(mine.scale, other.scale), min(mine.power, other.power)
    return Metric(mine.name, f"second minus first: {mine.meaning}", label=label, scale=scale, power=power)
