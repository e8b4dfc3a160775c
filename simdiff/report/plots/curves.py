"""Learning curves: theory as lines, simulation as points with error bars, against one parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simdiff.report.plots import columns, style
from simdiff.report.plots.axes import LOG_Y_SPAN, Scale, is_wide, log_axis, scale_of
from simdiff.report.plots.labels import NO_NAMES, Names, axis_name, key_text, metric_name


@dataclass(frozen=True)
class Series:
    """One line and its points: the parameters that single it out, and its look."""

    key: dict[str, Any]
    colour: str
    marker: str


@style.house()
def draw_curves(
    summary: pd.DataFrame,
    lines: pd.DataFrame | None = None,
    *,
    x: str | None = "model.psi_p",
    series: str | None = "m",
    metrics: Sequence[str] | None = None,
    marks: Mapping[Any, float] | None = None,
    time: float | None = None,
    title: str = "",
    labels: Names = NO_NAMES,
) -> Figure:
    """Estimates (points, bars of one standard error) and theory (lines) against `x`, one panel per metric.

    `summary`: the summary table. `lines`: the theory on a denser grid, columns `x`, `series`, metric,
    theory and maybe time; without it the lines join the theory at the simulated points.

    `x`: a column of the summary, "time" included; None takes the one with most values. `series`: the
    column that tells the curves apart, when the table has it; other columns that vary are added to
    it, so that no line joins unlike problems. `marks`: vertical dotted lines: {value of the series: x}
    takes that curve's colour, {other text: x} is grey with the text in the legend. `time`: which
    recorded time (the nearest; None: the last), unless x is "time".

    In the panel of the test error the Bayes floor, where the tables have it, is a dotted line.

    A comparison that disagrees has a red ring, one that is inconclusive a hollow marker, a point
    without a finite estimate a cross on the lower edge. The x axis is logarithmic when its values are
    positive and span more than a factor 10, the y axis when they span more than 50. Infinite x values
    sit beyond the last finite one, categories side by side.

    Raises `InputError` when `x` is not in a table, or a metric not in the summary.
    """
    x = columns.need_column(summary, "x", columns.main_axis(summary) if x is None else x)
    if x != "time":
        summary = columns.at_time(summary, time)
        lines = None if lines is None else columns.at_time(lines, time)
    if lines is not None:
        columns.need_column(lines, "lines", x)
    names = _wanted(summary, metrics)
    found = _series(summary, lines, x, series)
    dense = summary if lines is None else lines
    scale = scale_of([*summary[x], *dense[x]])
    figure, axes = style.panels(len(names))
    for ax, name in zip(axes, names, strict=True):
        points, theory = (t[t["metric"] == name] for t in (summary, dense))
        _draw_panel(ax, points, theory, found, scale, x)
        if name == "test":
            _draw_floor(ax, dense[dense["metric"] == "floor"], found, scale, x)
        _draw_marks(ax, marks or {}, found)
        ax.set(xlabel=axis_name(x), ylabel=metric_name(name, labels))
    signs = _sign_handles(summary, found, names, marks or {})
    style.legend_above(figure, _series_handles(found), signs, title=title)
    return figure


def _wanted(summary: pd.DataFrame, metrics: Sequence[str] | None) -> list[str]:
    """Return the metrics to draw: those asked for, or all that have a number."""
    if metrics:
        return columns.need_metrics(summary, metrics)
    return columns.metrics_of(summary, "estimate", "theory") or list(dict.fromkeys(summary["metric"]))


def _series(summary: pd.DataFrame, lines: pd.DataFrame | None, x: str, series: str | None) -> list[Series]:
    """Return the curves of the figure: every combination of the series column and whatever else varies."""
    asked = [series] if series is not None and series in summary.columns and series != x else []
    names = asked + [c for c in columns.varying(summary) if c not in (x, "time", *asked)]
    keys = columns.groups(summary, names)
    if lines is not None and asked and series in lines.columns and names == asked:
        keys = columns.groups(pd.concat([summary[asked], lines[asked]]), asked)
    looks = zip(style.colours(len(keys)), style.markers(len(keys)), strict=True)
    return [Series(key, *look) for key, look in zip(keys, looks, strict=True)]


def _draw_panel(
    ax: Axes, points: pd.DataFrame, theory: pd.DataFrame, found: Sequence[Series], scale: Scale, x: str
) -> None:
    """Lines and points of one metric."""
    for one in found:
        _draw_line(ax, columns.matching(theory, one.key), one, scale, x)
    for one in found:
        _draw_points(ax, columns.matching(points, one.key), one, scale, x)
    scale.dress(ax)
    heights = np.concatenate([columns.numbers(points["estimate"]), columns.numbers(theory["theory"])])
    if is_wide(heights, LOG_Y_SPAN):
        log_axis(ax, "y")


def _draw_line(ax: Axes, rows: pd.DataFrame, one: Series, scale: Scale, x: str) -> None:
    """Draw the theory of one series along x; at infinity and at words a dash stands for it, not a line."""
    where, height = scale.place(rows[x]), columns.numbers(rows["theory"])
    rank = np.argsort(where, kind="stable")
    where, height = where[rank], height[rank]
    alone = (where == scale.infinity) | bool(scale.words)
    ax.plot(where[~alone], height[~alone], color=one.colour, zorder=2, gid="theory")
    if alone.any():
        dash: dict[str, Any] = {"markersize": 13, "markeredgewidth": 1.3, "gid": "theory dash"}
        ax.plot(where[alone], height[alone], "_", color=one.colour, zorder=2, **dash)


def _draw_floor(ax: Axes, theory: pd.DataFrame, found: Sequence[Series], scale: Scale, x: str) -> None:
    """Draw the least test error of any network, where the theory has it, as dotted lines."""
    for one in found:
        rows = columns.matching(theory, one.key)
        where, height = scale.place(rows[x]), columns.numbers(rows["theory"])
        rank = np.argsort(where, kind="stable")
        ax.plot(where[rank], height[rank], color=one.colour, gid="floor", **_DOTTED)


_DOTTED: dict[str, Any] = {"linestyle": (0, (1, 1.6)), "linewidth": 1.0, "zorder": 1}


def _draw_points(ax: Axes, rows: pd.DataFrame, one: Series, scale: Scale, x: str) -> None:
    """Draw the estimates of one series with their error bars, and the signs of their verdicts."""
    where, height = scale.place(rows[x]), columns.numbers(rows["estimate"])
    error = np.nan_to_num(columns.numbers(rows["stderr"]), nan=0.0, posinf=0.0)
    verdict = rows["verdict"].to_numpy(dtype=object)
    finite, hollow = np.isfinite(height), np.isin(verdict, columns.UNDECIDED)
    for part, face, tag in (
        (finite & ~hollow, one.colour, "points"),
        (finite & hollow, "white", "inconclusive"),
    ):
        if part.any():
            style.points_with_bars(
                ax, where[part], height[part], error[part], one.colour, one.marker, face=face, gid=tag
            )
    wrong = finite & (verdict == columns.DISAGREE)
    if wrong.any():
        ax.plot(where[wrong], height[wrong], **style.RING_LOOK, gid="disagree")
    if (~finite).any():
        foot = np.full((~finite).sum(), 0.03)
        across = ax.get_xaxis_transform()
        ax.plot(where[~finite], foot, "x", color=one.colour, transform=across, clip_on=False, gid="missing")


def _draw_marks(ax: Axes, marks: Mapping[Any, float], found: Sequence[Series]) -> None:
    """Vertical dotted lines, each in the colour of the series it belongs to."""
    for label, place in marks.items():
        colour = next((s.colour for s in found if _is_mark_of(label, s)), style.GREY)
        ax.axvline(place, color=colour, gid="mark", **_DOTTED)


def _is_mark_of(label: Any, one: Series) -> bool:
    """Whether a mark's key is the value (or the values) of this series."""
    return columns.plain(label) in one.key.values() or label == tuple(one.key.values())


def _series_handles(found: Sequence[Series]) -> list[Line2D]:
    """Legend entries of the curves."""
    return [
        Line2D([], [], color=s.colour, marker=s.marker, label=key_text(s.key) or "theory, simulation")
        for s in found
    ]


def _sign_handles(
    summary: pd.DataFrame, found: Sequence[Series], names: Sequence[str], marks: Mapping[Any, float]
) -> list[Line2D]:
    """Legend entries of lines and points, and of the signs that occur in the panels drawn."""
    shown = summary[summary["metric"].isin(list(names))]
    finite = np.isfinite(columns.numbers(shown["estimate"]))
    handles = []
    if any(len(s.key) for s in found):
        handles.append(Line2D([], [], color=style.GREY, label="theory"))
        handles.append(Line2D([], [], color=style.GREY, marker="o", linestyle="none", label="simulation"))
    handles += style.verdict_handles(set(shown["verdict"][finite]))
    if not finite.all():
        handles.append(Line2D([], [], color=style.GREY, marker="x", linestyle="none", label="no estimate"))
    own = [str(k) for k in marks if not any(_is_mark_of(k, s) for s in found)]
    if "test" in names and (summary["metric"] == "floor").any():
        own.append("Bayes floor")
    return handles + [Line2D([], [], color=style.GREY, **_DOTTED, label=label) for label in own]
