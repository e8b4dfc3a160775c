"""The theory of a difference of two problems: that of the second minus that of the first."""

from __future__ import annotations

from typing import Any

from simdiff.parts.registry import register
from simdiff.theory.loader import evaluate


@register("theory", "difference")
def difference(problem: Any) -> dict[str, Any]:
    """What the problems' own theories give for the metrics that both predict."""
    first, second = (evaluate(None, one) for one in (problem.first, problem.second))
    names = [metric.name for metric in problem.metrics if metric.name in first and metric.name in second]
    return {name: second[name] - first[name] for name in names}
