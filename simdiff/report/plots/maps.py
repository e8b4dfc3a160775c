"""Heat maps over two parameters: a panel for each metric and each value of whatever else varies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FuncFormatter, NullLocator

from simdiff.report.plots import columns, style
from simdiff.report.plots.axes import LOG_SPAN, is_wide, log_axis, ticks
from simdiff.report.plots.labels import NO_NAMES, Names, axis_name, key_text, metric_name, value_text

OUTLINE: list[AbstractPathEffect] = [withStroke(linewidth=1.8, foreground="#333333")]
"""White text on a map stays readable where the map is bright."""

Guides = Mapping[str, Callable[[np.ndarray], np.ndarray]]


@style.house()
def draw_maps(
    table: pd.DataFrame,
    *,
    x: str = "psi_n",
    y: str = "model.psi_p",
    value: str = "theory",
    metrics: Sequence[str] | None = None,
    contours: int | Sequence[float] = 0,
    points: pd.DataFrame | None = None,
    guides: Guides | None = None,
    time: float | None = None,
    title: str = "",
    labels: Names = NO_NAMES,
) -> Figure:
    """Colour maps of `value` over the columns `x` and `y`: a column of panels a metric, one row per series.

    `table`: rows with x, y, metric and `value` on a full or ragged grid (holes and non-finite values
    stay grey). A row of panels for every combination of the other parameters that vary, all on the
    metric's one colour scale. Axes and colours are logarithmic when their values are positive and
    span more than a factor 10. `contours`: how many lines, or their levels.
    `points`: a summary table whose estimates are drawn as discs on the same colour scale, ringed in
    red where they disagree. `guides`: {text: function}, lines y = function(x), for example an
    interpolation threshold. `time`: the recorded time (nearest; None: the last).

    Raises `InputError` when x, y or a metric is not in the table.
    """
    x, y = columns.need_column(table, "x", x), columns.need_column(table, "y", y)
    table = columns.at_time(table, time)
    points = None if points is None else columns.at_time(points, time)
    names = columns.need_metrics(table, metrics) if metrics else columns.metrics_of(table, value)
    names = names or list(dict.fromkeys(table["metric"]))
    keys = columns.groups(table, [c for c in columns.varying(table) if c not in (x, y, "time")])
    figure, axes = _grid(len(keys), len(names))
    for j, name in enumerate(names):
        column, marked = _of_metric(table, name), None if points is None else _of_metric(points, name)
        norm = _norm(columns.numbers(column[value]))
        for i, key in enumerate(keys):
            ax = axes[i, j]
            mesh = _draw_map(ax, columns.matching(column, key), (x, y, value), norm, contours)
            _draw_guides(ax, guides or {})
            if marked is not None:
                _draw_points(ax, columns.matching(marked, key), (x, y), mesh)
            ax.set_xlabel(axis_name(x) if i == len(keys) - 1 else "")
            ax.set_ylabel((f"{key_text(key)}\n" if key else "") + axis_name(y) if j == 0 else "")
        axes[0, j].set_title(metric_name(name, labels))
        bar = figure.colorbar(mesh, ax=list(axes[:, j]), location="bottom", aspect=22, pad=0.02)
        _dress_bar(bar, norm)
    if title:
        figure.suptitle(title)
    return figure


def _of_metric(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one metric."""
    return table[table["metric"] == name]


def _grid(rows: int, cols: int) -> tuple[Figure, np.ndarray]:
    """Return the figure and its axes (rows, cols)."""
    width = style.PAGE if cols > 1 else 1.25 * style.COLUMN
    height = rows * min(width / cols, 2.6) + 1.0
    return style.grid(rows, cols, (width, height), sharex=True, sharey=True)


def _norm(values: np.ndarray) -> Normalize:
    """Return the colour scale of all finite values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    return LogNorm(low, high) if is_wide(finite, LOG_SPAN) else Normalize(low, high)


def _edges(centres: np.ndarray, log: bool) -> np.ndarray:
    """Cell edges (k + 1,) half way between the sorted centres (k,), in the logarithm when `log`."""
    at = np.log(centres) if log else centres
    if at.size == 1:
        edges = at[0] + np.array([-0.5, 0.5])
    else:
        middle = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(edges) if log else edges


def _draw_map(
    ax: Axes,
    rows: pd.DataFrame,
    names: tuple[str, str, str],
    norm: Normalize,
    contours: int | Sequence[float],
) -> QuadMesh:
    """Draw the cells of one panel, the contour lines, and the axes' scales."""
    x, y, z = (columns.numbers(rows[c]) for c in names)
    across, up = (np.unique(v[np.isfinite(v)]) for v in (x, y))
    heat = np.full((up.size, across.size), np.nan)
    known = np.isfinite(x) & np.isfinite(y)
    heat[np.searchsorted(up, y[known]), np.searchsorted(across, x[known])] = z[known]
    log_x, log_y = is_wide(across, LOG_SPAN), is_wide(up, LOG_SPAN)
    ax.set_facecolor("#D9D9D9")
    ax.grid(False)
    shown = np.ma.masked_invalid(heat)
    mesh = ax.pcolormesh(
        _edges(across, log_x), _edges(up, log_y), shown, norm=norm, cmap="viridis", rasterized=True
    )
    for which, log in (("x", log_x), ("y", log_y)):
        if log:
            log_axis(ax, which)
    if np.size(contours) > 1 or contours:
        _draw_contours(ax, across, up, heat, norm, contours)
    return mesh


def _draw_contours(
    ax: Axes,
    across: np.ndarray,
    up: np.ndarray,
    heat: np.ndarray,
    norm: Normalize,
    contours: int | Sequence[float],
) -> None:
    """Labelled contour lines, evenly spread over the colour scale when only their number is given."""
    if min(heat.shape) < 2 or np.isfinite(heat).sum() < 4:
        return
    if isinstance(contours, int):
        contours = [float(norm.inverse(i / (contours + 1))) for i in range(1, contours + 1)]
    drawn = ax.contour(
        across, up, np.ma.masked_invalid(heat), levels=contours, colors="white", linewidths=0.8
    )
    texts = ax.clabel(drawn, fontsize=7, fmt=lambda v: value_text(float(f"{v:.2g}")))
    for text in texts:
        text.set_path_effects(OUTLINE)


def _draw_guides(ax: Axes, guides: Guides) -> None:
    """Curves y = f(x) across the panel, each with its name beside it; they leave the limits as they are."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    grid = np.geomspace(left, right, 201) if left > 0 else np.linspace(left, right, 201)
    for text, rule in guides.items():
        height = rule(grid)
        inside = np.flatnonzero((height >= low) & (height <= high))
        if not inside.size:
            continue
        ax.plot(grid, height, color="white", linestyle=(0, (4, 2)), linewidth=1.1, gid="guide")
        at = inside[int(0.8 * (inside.size - 1))]
        look: dict[str, Any] = {"color": "white", "ha": "right", "fontsize": 8, "path_effects": OUTLINE}
        ax.annotate(text, (grid[at], height[at]), (-4, 4), textcoords="offset points", **look)
    ax.set(xlim=(left, right), ylim=(low, high))


def _draw_points(ax: Axes, rows: pd.DataFrame, names: tuple[str, str], mesh: QuadMesh) -> None:
    """Estimates as discs in the map's colours; one that disagrees has a red edge."""
    x, y = (columns.numbers(rows[c]) for c in names)
    z = columns.numbers(rows["estimate"])
    wrong = rows["verdict"].to_numpy(dtype=object) == columns.DISAGREE
    for part, edge, tag in ((~wrong, "white", "points"), (wrong, style.RING, "disagree")):
        part = part & np.isfinite(z)
        if part.any():
            look: dict[str, Any] = {"cmap": mesh.cmap, "norm": mesh.norm, "edgecolors": edge, "gid": tag}
            ax.scatter(x[part], y[part], c=z[part], s=34, linewidths=1.4, zorder=3, clip_on=False, **look)


def _dress_bar(bar: Colorbar, norm: Normalize) -> None:
    """Plain numbers on the colour bar."""
    bar.outline.set_linewidth(0.5)
    if isinstance(norm, LogNorm) and norm.vmin is not None and norm.vmax is not None:
        bar.set_ticks(ticks(norm.vmin, norm.vmax))
        bar.ax.xaxis.set_minor_locator(NullLocator())
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: value_text(float(f"{v:.10g}"))))
