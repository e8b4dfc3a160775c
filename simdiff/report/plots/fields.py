"""Fields over the plane at several times: a row of maps a point set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simdiff.report.plots import style
from simdiff.report.plots.labels import value_text


@dataclasses.dataclass(frozen=True)
class FieldRow:
    """A point set (M, 2), the ends of cells along both axes, and values in [0, 1] (times, cells, cells)."""

    label: str
    points: np.ndarray
    edges: np.ndarray
    values: np.ndarray


@style.house()
def draw_fields(rows: Sequence[FieldRow], times: Sequence[float], bar: str, title: str = "") -> Figure:
    """Maps of values between 0 and 1 on one colour scale, `bar` its name; the points are dots."""
    width = min(style.PAGE, 1.75 * len(times) + 0.4)
    size = (width, len(rows) * width / len(times) + 0.9)
    figure, grid = style.grid(len(rows), len(times), size, sharex=True, sharey=True)
    for row, axes in zip(rows, grid, strict=True):
        for ax, values in zip(axes, row.values, strict=True):
            ax.grid(False)
            mesh = ax.pcolormesh(
                row.edges, row.edges, values.T, vmin=0.0, vmax=1.0, cmap="viridis", rasterized=True
            )
            ax.plot(*row.points.T, "o", color="white", markersize=2.5, markeredgecolor=style.RING)
            ax.set_aspect("equal")
        axes[0].set_ylabel(row.label)
    for ax, time in zip(grid[0], times, strict=True):
        ax.set_title(f"$t$ = {value_text(time)}")
    figure.colorbar(mesh, ax=list(grid.ravel()), location="bottom", aspect=40, pad=0.02).set_label(bar)
    if title:
        figure.suptitle(title)
    return figure
