"""How means approach their limit: one point's extrapolation."""

from __future__ import annotations

from typing import Any, ClassVar

from simdiff.parts.registry import register
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material


@register("figure", "finite_sizes")
class FiniteSizes(Figure):
    """Means against 1/d, their fit and the theory, at the point that is farthest from it."""

    order: ClassVar[int] = 90

    def draw(self, material: Material) -> Any:
        """Where anything was extrapolated."""
        extrapolated = material.summary[material.summary["order"] > 0]
        if not extrapolated["stderr"].notna().any():
            return None
        precision, labels = material.precision, material.names
        return plots.draw_extrapolation(material.sizes, extrapolated, precision=precision, labels=labels)
