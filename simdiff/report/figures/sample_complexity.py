"""The least psi_n with which theory reaches a threshold, along figure.x: a table, and a figure of it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd

from simdiff.analysis import check_arguments, sample_complexity
from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.parts.vary import vary
from simdiff.problem import Problem
from simdiff.report import plots
from simdiff.report.figures.base import NO_TABLES, Figure, Material, Settings, scalars
from simdiff.report.figures.theory_lines import dense_values, is_finite, parameter, starts
from simdiff.validation.study import Study

GRID = 24
"""Values of x at which a sample complexity is sought."""

NAME = "sample_complexity"


@register("figure", NAME)
class SampleComplexityFigure(Figure):
    """The figure of figure.complexity.threshold: theory alone."""

    order: ClassVar[int] = 50
    settings: ClassVar[Settings] = {"complexity": {"metric": "score", "threshold": None, "ridge": "best"}}

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """An axis that psi_n can be sought along, and arguments that the search takes."""
        if not _asked(settings):
            return
        x, asked = settings["x"], settings["complexity"]
        if x is None or x in ("time", "psi_n") or (x == "trainer.ridge" and asked["ridge"] != "given"):
            hint = "psi_n is sought at every x; set figure.x to something else, data.psi_D for instance"
            raise InputError("figure.x", x, "the axis of the sample complexity", hint)
        study = studies[0]
        check_arguments(study.problem, asked["metric"], asked["threshold"], asked["ridge"], study.theory)

    def tables(self, material: Material) -> Mapping[str, pd.DataFrame]:
        """One row for each problem; none, with a warning, where the theory fails."""
        if not _asked(material.settings):
            return NO_TABLES
        try:
            return {NAME: complexity_table(material.settings, material.problems, material.studies[0].theory)}
        except Exception as error:
            warnings.warn(f"no sample complexity ({type(error).__name__}: {error})", stacklevel=2)
            return NO_TABLES

    def draw(self, material: Material) -> Any:
        """Lines against figure.x."""
        if NAME not in material.tables:
            return None
        settings = material.settings
        table = material.tables[NAME]
        return plots.draw_complexity(table, x=settings["x"], series=settings["series"], labels=material.names)


def _asked(settings: Settings) -> bool:
    return bool(settings.get("complexity")) and settings["complexity"]["threshold"] is not None


def complexity_table(settings: Settings, problems: Sequence[Problem], theory: Any) -> pd.DataFrame:
    """The sample complexity along figure.x for every combination of the other values.

    One row for each problem: its parameters but for psi_n and a tuned ridge, metric and threshold, and what
    `simdiff.sample_complexity` found, psi_n under the name of sample_complexity.
    """
    x, asked = settings["x"], settings["complexity"]
    sought = {"psi_n"} if asked["ridge"] == "given" else {"psi_n", "trainer.ridge"}
    values = {parameter(problem, x) for problem in problems}
    finite = sorted(filter(is_finite, values))
    along = dense_values(problems[0], x, finite, GRID) if len(finite) > 1 else finite
    along = [*along, *sorted(values - set(finite), key=str)]
    varied = [vary(start, {x: value}) for start in starts(problems, {x, *sought}) for value in along]
    return pd.DataFrame([_row(problem, asked, sought, theory) for problem in varied])


def _row(problem: Problem, asked: Settings, sought: set[str], theory: Any) -> dict[str, Any]:
    found = sample_complexity(problem, asked["metric"], asked["threshold"], asked["ridge"], theory)
    kept = {name: value for name, value in scalars(problem).items() if name not in sought}
    result = dataclasses.asdict(found)
    first = {"metric": asked["metric"], "threshold": asked["threshold"]}
    return kept | first | {NAME: result.pop("psi_n")} | result
