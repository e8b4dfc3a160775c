"""Sample complexity against one parameter: how many samples per dimension reach a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simdiff.report.plots import columns, style
from simdiff.report.plots.axes import LOG_Y_SPAN, Scale, is_wide, log_axis, scale_of
from simdiff.report.plots.curves import Series
from simdiff.report.plots.labels import NO_NAMES, Names, axis_name, key_text, metric_name, value_text

ROW = 0.05
"""Height of a row of marks at the top edge, as a share of the panel."""

SIGNS: dict[str, tuple[str, str]] = {
    "bound": ("v", "upper bound"),
    "unreachable": ("x", "not reachable"),
    "unknown": ("d", "theory is nan"),
}
"""Marker and legend of what is not a plain number."""

EDGE = {"unreachable", "unknown"}
"""Those without a height of their own."""


@style.house()
def draw_complexity(
    table: pd.DataFrame, *, x: str, series: str | None = None, title: str = "", labels: Names = NO_NAMES
) -> Figure:
    """The smallest psi_n that reaches the threshold, as lines against `x`, one for each series.

    `table`: one row per problem: its parameters and the columns `columns.COMPLEXITY`, as
    `simdiff.sample_complexity` returns them; one metric and one threshold in all. `series`: the parameter
    that leads the legend; whatever other parameter varies is added to it.

    Where no psi_n reaches the threshold the line has a gap and the top edge a cross in the series'
    colour; where the theory is nan, a diamond. Upper bounds are hollow triangles that no line joins.
    Axes are logarithmic as in `draw_curves`.

    Raises `InputError` when `x` is not in the table.
    """
    x = columns.need_column(table, "x", x)
    found = _series(table, x, series)
    scale = scale_of(table[x])
    figure, (ax,) = style.panels(1, height=2.7)
    rows = [columns.matching(table, one.key) for one in found]
    for one, part in zip(found, rows, strict=True):
        _draw_line(ax, part, one, scale, x)
    marked = _draw_edge(ax, rows, found, scale, x)
    scale.dress(ax)
    if is_wide(_heights(table), LOG_Y_SPAN):
        log_axis(ax, "y")
    if np.isnan(_heights(table)).all():
        ax.set_yticks([])
    _make_room(ax, ROW * (marked + 0.5) if marked else 0.0)
    first = table.iloc[0]
    goal = rf"{metric_name(first['metric'], labels)} $\leq$ {value_text(float(first['threshold']))}"
    ax.set(xlabel=axis_name(x), ylabel=rf"least $\psi_n = n/d$ with {goal}")
    style.legend_above(figure, _series_handles(found), _sign_handles(table), title=title)
    return figure


def _series(table: pd.DataFrame, x: str, series: str | None) -> list[Series]:
    """Return the lines: every combination of the parameters that vary, but for x.

    A parameter that adds no distinction to those before it is left out (the nonlinearity of a data law
    beside the law's name, for instance).
    """
    parameters = table.drop(columns=[c for c in columns.COMPLEXITY if c in table.columns])
    names: list[str] = []
    for name in sorted(columns.varying(parameters), key=lambda c: c != series):
        finer = columns.groups(parameters, [*names, name])
        if name != x and len(finer) > len(columns.groups(parameters, names)):
            names.append(name)
    keys = columns.groups(parameters, names)
    looks = zip(style.colours(len(keys)), style.markers(len(keys)), strict=True)
    return [Series(key, *look) for key, look in zip(keys, looks, strict=True)]


def _heights(rows: pd.DataFrame) -> np.ndarray:
    return columns.numbers(rows["sample_complexity"])


def _kinds(rows: pd.DataFrame) -> np.ndarray:
    """What each row is: one of `SIGNS`, or "" for a plain number."""
    kinds = np.full(len(rows), "", dtype=object)
    reachable = columns.numbers(rows["reachable"])
    kinds[rows["bound"].to_numpy(dtype=bool)] = "bound"
    kinds[reachable == 0.0] = "unreachable"
    kinds[np.isnan(reachable)] = "unknown"
    return kinds


def _draw_line(ax: Axes, rows: pd.DataFrame, one: Series, scale: Scale, x: str) -> None:
    """Draw the numbers of one series; at infinity and at words, and between gaps, a dot for each."""
    where, height, kinds = scale.place(rows[x]), _heights(rows), _kinds(rows)
    rank = np.argsort(where, kind="stable")
    where, height, kinds = where[rank], height[rank], kinds[rank]
    known = kinds == ""
    alone = known & ((where == scale.infinity) | bool(scale.words))
    joined = known & ~alone
    ax.plot(where[~alone], np.where(joined, height, np.nan)[~alone], color=one.colour, gid="line")
    beside = np.concatenate([[False], joined, [False]])
    alone |= joined & ~beside[:-2] & ~beside[2:]
    ax.plot(where[alone], height[alone], ".", color=one.colour, gid="dot")
    bound = kinds == "bound"
    look: dict[str, Any] = {"color": one.colour, "markerfacecolor": "white", "gid": "bound"}
    ax.plot(where[bound], height[bound], SIGNS["bound"][0], **look)


def _draw_edge(ax: Axes, rows: Sequence[pd.DataFrame], found: Sequence[Series], scale: Scale, x: str) -> int:
    """Marks along the top edge, a row of them for each series that has any; returns how many rows."""
    marked = [(one, part) for one, part in zip(found, rows, strict=True) if set(_kinds(part)) & EDGE]
    for k, (one, part) in enumerate(marked):
        where, kinds = scale.place(part[x]), _kinds(part)
        for kind in sorted(EDGE):
            at = where[kinds == kind]
            height, across = np.full(at.size, 1 - ROW * (k + 0.5)), ax.get_xaxis_transform()
            look: dict[str, Any] = {"color": one.colour, "marker": SIGNS[kind][0], "linestyle": "none"}
            look["markerfacecolor"] = "white"
            ax.plot(at, height, transform=across, gid=kind, **look)
    return len(marked)


def _make_room(ax: Axes, share: float) -> None:
    """Leave this share of the panel above the lines free; limits stay put from here on."""
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        ax.set_ylim(low, high * (high / low) ** (share / (1 - share)))
    else:
        ax.set_ylim(max(low, 0.0), high + (high - max(low, 0.0)) * share / (1 - share))


def _series_handles(found: Sequence[Series]) -> list[Line2D]:
    return [Line2D([], [], color=s.colour, label=key_text(s.key)) for s in found if s.key]


def _sign_handles(table: pd.DataFrame) -> list[Line2D]:
    """Legend entries of the signs that occur."""
    there = set(_kinds(table))
    look: dict[str, Any] = {"color": style.GREY, "linestyle": "none", "markerfacecolor": "white"}
    return [
        Line2D([], [], **look, marker=marker, label=label)
        for kind, (marker, label) in SIGNS.items()
        if kind in there
    ]
