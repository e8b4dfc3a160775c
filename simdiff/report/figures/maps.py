"""Colour maps of theory over two parameters, the simulated points among them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.parts.vary import vary
from simdiff.problem import Problem
from simdiff.report import plots
from simdiff.report.figures.base import BY, Figure, Material, Settings
from simdiff.report.figures.theory_lines import dense_values, is_finite, parameter, theory_table
from simdiff.validation.study import Study


@register("figure", "maps")
class Maps(Figure):
    """The figure of figure.kind=maps: every metric over figure.x and figure.y."""

    order: ClassVar[int] = 10
    reads_metrics: ClassVar[bool] = True
    asked: ClassVar[Settings] = {"kind": "maps"}

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """Both axes are parameters that are swept over two numbers or more."""
        if settings["kind"] != "maps":
            return
        x, y = settings["x"], settings["y"]
        if not (x and y) or x == y:
            raise InputError("figure", {"x": x, "y": y}, "two axes of the maps", "set figure.x and figure.y")
        for key, name in (("x", x), ("y", y)):
            _check_swept(key, name, [study.problem for study in studies])

    def draw(self, material: Material) -> Any:
        """Theory where there is one, else the estimates."""
        settings, problems = material.settings, material.problems
        if settings["kind"] != "maps":
            return None
        x, y = settings["x"], settings["y"]
        spans = [sorted({float(parameter(problem, name)) for problem in problems}) for name in (x, y)]
        fine = [
            dense_values(problems[0], name, span, settings["grid"])
            for name, span in zip((x, y), spans, strict=True)
        ]
        grid = [vary(problems[0], {x: u, y: v}) for u, v in itertools.product(*fine)]
        table = theory_table(grid, material.studies[0].theory)
        shown = material.summary  # of several theories the first
        if BY in shown:
            shown = shown[shown[BY] == next(iter(material.theories))].drop(columns=BY)
        look: dict[str, Any] = {"x": x, "y": y, "metrics": settings["metrics"], "labels": material.names}
        look |= {"guides": _threshold(problems[0], x, y) if settings["threshold"] else {}}
        if table is None:
            return plots.draw_maps(shown, value="estimate", **look)
        return plots.draw_maps(table, points=shown, **look)


def _check_swept(key: str, name: str, problems: Sequence[Problem]) -> None:
    values = {parameter(problem, name) for problem in problems}
    if len(values) < 2 or not all(map(is_finite, values)):
        hint = f"give them with -m {name}=..., or choose figure.kind=curves"
        raise InputError(f"figure.{key}", name, "a parameter that is swept over two numbers or more", hint)


def _threshold(problem: Problem, x: str, y: str) -> dict[str, Callable[[Any], Any]]:
    m = parameter(problem, "m")
    return {"$p = n m$": lambda u: u * m} if (x, y) == ("psi_n", "model.psi_p") and is_finite(m) else {}
