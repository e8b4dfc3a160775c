"""The figures of a run. Each is one file here, registered by name: what it needs, checks, and draws.

`base` has the contract, `theory_lines` the theory between simulated points. Figures vary the problems of a
run and never see its configuration, so Python users draw the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from simdiff.errors import InputError, check_choice, check_integer
from simdiff.identity.description import flatten
from simdiff.parts import registry
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material, Settings
from simdiff.store import RunFolder
from simdiff.validation.study import Study

registry.import_all(__name__)

KINDS = ("curves", "maps", "none")

Told = Callable[[str], None]
"""Hears what is being done, for people who wait."""


def unheard(text: str) -> None:
    """Nobody waits."""


def figures() -> dict[str, Figure]:
    """{name: figure}, in the order in which they are shown."""
    found = {name: part.factory() for name, part in registry.parts("figure").items() if part.factory}
    return dict(sorted(found.items(), key=lambda item: item[1].order))


def own_settings() -> dict[str, Any]:
    """The entries of `figure` that figures declare, with their defaults."""
    return {name: value for figure in figures().values() for name, value in figure.settings.items()}


SHARED: Settings = MappingProxyType(
    {"kind": "curves", "x": None, "y": None, "series": None, "metrics": None, "threshold": False, "grid": 120}
)
"""The entries of `figure` that several figures read, as config.yaml has them."""


def settings_of(*parts: Settings) -> dict[str, Any]:
    """All entries of `figure`; later parts win over earlier ones, and over the defaults.

    Raises:
        InputError: a part has an entry that no figure knows.
    """
    found = {**SHARED, **own_settings()}
    for part in parts:
        for name, value in part.items():
            check_choice("figure", name, found)
            nested = isinstance(found[name], Mapping) and isinstance(value, Mapping)
            found[name] = {**found[name], **value} if nested else value
    return found


def check_figures(settings: Settings, studies: Sequence[Study]) -> None:
    """Raise `InputError` for a setting that no figure of these points can have, before anything is run."""
    check_choice("figure.kind", settings["kind"], KINDS)
    check_integer("figure.grid", settings["grid"], least=2)
    problems = [study.problem for study in studies]
    names = list(dict.fromkeys(name for problem in problems for name in flatten(problem.describe())))
    axes = [*names, *(["time"] if problems[0].times else [])]
    for key in ("x", "y", "series"):
        if settings[key] is not None:
            check_choice(f"figure.{key}", settings[key], axes)
    if settings["metrics"] is not None and not isinstance(settings["metrics"], list):
        raise InputError("figure.metrics", settings["metrics"], "a list of metrics, as in [test,train]")
    for metric in settings["metrics"] or ():
        check_choice("figure.metrics", metric, [metric.name for metric in problems[0].metrics])
    for figure in figures().values():
        figure.check(settings, studies)


def make_tables(material: Material) -> dict[str, pd.DataFrame]:
    """{name: table} of all figures that are drawn from tables of their own."""
    return {name: table for one in figures().values() for name, table in one.tables(material).items()}


def draw_all(material: Material, told: Told = unheard) -> dict[str, Any]:
    """{name: figure} of what the settings ask for, and of the figures of every run; `told` hears of each.

    They are laid out, ready to be saved.
    """
    if material.settings["kind"] == "none":
        return {}
    drawn: dict[str, Any] = {}
    for name, figure in figures().items():
        told(f"drawing {name.replace('_', ' ')}")
        drawn[name] = figure.draw(material)
    return {name: plots.lay_out(figure) for name, figure in drawn.items() if figure is not None}


def saved(drawn: Mapping[str, Any], folder: RunFolder) -> list[Path]:
    """Write figures to the folder; returns the files."""
    return [
        path for name, figure in drawn.items() for path in plots.save(figure, folder.write_figure_path(name))
    ]
