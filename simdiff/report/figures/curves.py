"""Errors against one parameter, or against time, with dense lines of theory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pandas as pd

from simdiff.identity.description import flatten
from simdiff.parts.registry import register
from simdiff.problem import Problem
from simdiff.report import plots
from simdiff.report.figures.base import BY, Figure, Material, Settings
from simdiff.report.figures.theory_lines import counts_steps, lines
from simdiff.report.plots import columns


@register("figure", "curves")
class Curves(Figure):
    """The figure of figure.kind=curves: figure.x against every metric."""

    order: ClassVar[int] = 0
    reads_metrics: ClassVar[bool] = True
    asked: ClassVar[Settings] = {"kind": "curves"}

    def draw(self, material: Material) -> Any:
        """Where there is an axis: the one asked for, time, or the parameter with most values."""
        settings, problems, summary = material.settings, material.problems, material.summary
        x = settings["x"] or ("time" if problems[0].times else columns.main_axis(summary))
        if settings["kind"] != "curves" or x is None:
            return None
        dense = dense_lines(material, x)
        marks = threshold_marks(problems, x) if settings["threshold"] else None
        series = settings["series"] if settings["series"] in summary.columns else None
        shown, along, axis = in_steps(problems, summary, dense) if x == "time" else (summary, dense, x)
        look: dict[str, Any] = {"metrics": settings["metrics"], "marks": marks, "labels": material.names}
        return plots.draw_curves(shown, along, x=axis, series=series, **look)


def dense_lines(material: Material, x: str) -> pd.DataFrame | None:
    """Theory along x; of several theories each with its name."""
    grid, found = material.settings["grid"], []
    for name, theory in material.theories.items():
        table = lines(material.problems, theory, x, grid)
        if table is not None:
            found.append(table.assign(**{BY: name}) if name else table)
    return pd.concat(found, ignore_index=True) if found else None


def threshold_marks(problems: Sequence[Problem], x: str) -> dict[Any, float]:
    """Where p = n m on the axis psi_p or psi_n, for each finite m."""
    flat = [flatten(problem.describe()) for problem in problems]
    known = [f for f in flat if {"psi_n", "m", "model.psi_p"} <= set(f) and f["m"] != "inf"]
    if x == "model.psi_p":
        return {f["m"]: f["psi_n"] * f["m"] for f in known}
    return {f["m"]: f["model.psi_p"] / f["m"] for f in known} if x == "psi_n" else {}


def in_steps(
    problems: Sequence[Problem], summary: pd.DataFrame, dense: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The tables and the axis; optimisers record times as steps, and their axis says so."""
    if not counts_steps(problems):
        return summary, dense, "time"
    renamed = {"time": "step"}
    return summary.rename(columns=renamed), None if dense is None else dense.rename(columns=renamed), "step"
