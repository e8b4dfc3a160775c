"""Figures of a run in matplotlib axes: the registry's figures, with settings that a caller gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simdiff.errors import InputError, check_choice
from simdiff.report.figures import check_figures, figures, settings_of
from simdiff.report.figures.base import Figure, Material, told_apart
from simdiff.report.plots import columns
from simdiff.report.shown import shown

if TYPE_CHECKING:
    from simdiff.run.run import Run

Axes = Any


def draw(run: Run, name: str, ax: Any, given: Mapping[str, Any]) -> Axes:
    """The axes of one figure; see `Run.plot`."""
    known = figures()
    figure = known[check_choice("figure", name, known)]
    settings = settings_of(run.about.figure, _axes_of_maps(run, figure.asked), given)
    with shown(ax):
        drawn = _drawn(run, figure, settings, () if figure.reads_metrics else given.get("metrics") or ())
    if drawn is None:
        raise InputError("figure", name, "a figure that these points have", "there is nothing to show in it")
    return ax if ax is not None else _axes(drawn)


def draw_asked(run: Run, given: Mapping[str, Any]) -> dict[str, Axes]:
    """{name: axes} of every figure that the settings ask for."""
    settings = settings_of(run.about.figure, given)
    with shown():
        found = {name: _drawn(run, figure, settings) for name, figure in figures().items()}
    return {name: _axes(drawn) for name, drawn in found.items() if drawn is not None}


def material(run: Run, settings: Mapping[str, Any]) -> Material:
    """What figures of the run draw from."""
    return Material(settings, run.studies, told_apart(run.summary), told_apart(run.sizes))


def _drawn(run: Run, figure: Figure, settings: Mapping[str, Any], metrics: Sequence[str] = ()) -> Any:
    """The figure, with the rows of these metrics only where any are named."""
    check_figures(settings, run.studies)
    found = material(run, settings)
    if metrics:
        kept = (table[table["metric"].isin(list(metrics))] for table in (found.summary, found.sizes))
        found = dataclasses.replace(found, **dict(zip(("summary", "sizes"), kept, strict=True)))
    return figure.draw(found.with_tables(figure.tables(found)))


def _axes_of_maps(run: Run, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """What asks for a figure; maps that are given no axes take the first two numbers that vary."""
    varying = columns.varying(run.summary)
    numbers = [c for c in varying if not isinstance(columns.plain(run.summary[c].iloc[0]), str)]
    if asked.get("kind") != "maps" or len(numbers) < 2 or run.about.figure.get("x"):
        return asked
    return {**asked, "x": numbers[0], "y": numbers[1]}


def _axes(drawn: Any) -> Axes:
    """The panels of a figure, colour bars left out."""
    panels = [ax for ax in drawn.axes if ax.get_label() != "<colorbar>"]
    return panels[0] if len(panels) == 1 else panels
