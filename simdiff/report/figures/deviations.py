"""All comparisons of a run at once: deviations in standard errors and in per cent."""

from __future__ import annotations

from typing import Any, ClassVar

from simdiff.parts.registry import register
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material


@register("figure", "deviations")
class Deviations(Figure):
    """(estimate - theory) / stderr, and the relative deviation."""

    order: ClassVar[int] = 95

    def draw(self, material: Material) -> Any:
        """Where there is something to compare."""
        summary = material.summary
        if not (summary["stderr"].notna().any() and summary["theory"].notna().any()):
            return None
        return plots.draw_deviations(summary, precision=material.precision, labels=material.names)
