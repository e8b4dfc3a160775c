"""Averaged densities of generated samples: trained models beside theory, on a line or in the plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simdiff.report.plots import style

BAND = (0.1, 0.9)
"""Quantiles over models between which the band lies."""


@dataclasses.dataclass(frozen=True)
class DensityPanel:
    """One comparison: data points (M, D), ends of cells, densities of models (G, cells...) and of theory."""

    label: str
    points: np.ndarray
    edges: np.ndarray
    trained: np.ndarray
    theory: np.ndarray
    note: str = ""


MOST_ACROSS = 6
"""Panels in a row of the page."""


@style.house()
def draw_densities(panels: Sequence[DensityPanel], title: str = "", across: int | None = None) -> Figure:
    """On one line a panel each: [q] of both, and the band of models. In the plane two maps each.

    `across` panels make a row, if they divide all of them and fit the page; otherwise as many as look well.
    Data points are ticks on the axis, or dots on the maps. All maps have one colour scale, whose colours
    grow like the square root of the density, so that what lies in gaps is seen.
    """
    if across is not None and (len(panels) % across or not 2 <= across <= MOST_ACROSS):
        across = None
    if panels[0].points.shape[1] == 1:
        return _draw_lines(panels, title, across)
    return _draw_planes(panels, title, across or min(len(panels), 4 if len(panels) != 6 else 3))


def _draw_lines(panels: Sequence[DensityPanel], title: str, across: int | None) -> Figure:
    dense = across is not None and across > 3
    figure, axes = style.panels(len(panels), 1.4 if dense else 1.75, across)
    top = max(float(max(panel.trained.mean(0).max(), panel.theory.mean(0).max())) for panel in panels)
    for ax, panel in zip(axes, panels, strict=True):
        _draw_line(ax, panel)
        ax.set_ylim(-0.02 * top, 1.05 * top)
    if dense:
        _share_labels(axes, across or 1)
    handles = [
        Line2D([], [], color=style.PALETTE[0], label="theory"),
        Line2D([], [], color="black", linewidth=1.0, label="trained models, mean"),
        Patch(color="#D9D9D9", label="10% to 90% of the models"),
    ]
    style.legend_above(figure, handles, title=title)
    return figure


def _share_labels(axes: Sequence[Axes], across: int) -> None:
    """Smaller titles; numbers and names of axes at the margins only."""
    for i, ax in enumerate(axes):
        ax.set_title(ax.get_title(), fontsize=7.5)
        ax.tick_params(labelleft=i % across == 0, labelbottom=i >= len(axes) - across, labelsize=7.5)
        if i < len(axes) - across and ax.get_xlabel() == "$x$":
            ax.set_xlabel("")


def _draw_line(ax: Axes, panel: DensityPanel) -> None:
    low, high = np.quantile(panel.trained, BAND, axis=0)
    ax.stairs(high, panel.edges, baseline=low, fill=True, color="#D9D9D9", gid="band")
    ax.stairs(panel.trained.mean(0), panel.edges, color="black", linewidth=1.0, gid="trained")
    ax.stairs(panel.theory.mean(0), panel.edges, color=style.PALETTE[0], linewidth=1.2, gid="theory")
    ax.plot(
        panel.points[:, 0], np.zeros(len(panel.points)), "^", color=style.RING, markersize=4, clip_on=False
    )
    ax.set(title=panel.label, xlabel=panel.note or "$x$", xlim=(panel.edges[0], panel.edges[-1]))


def _draw_planes(panels: Sequence[DensityPanel], title: str, across: int) -> Figure:
    rows = -(-len(panels) // across)
    size = (style.PAGE, 2 * rows * style.PAGE / max(across, 2) * 0.98 + 0.9)
    figure, grid = style.grid(2 * rows, across, size, sharex=True, sharey=True)
    top = max(float(max(panel.trained.mean(0).max(), panel.theory.mean(0).max())) for panel in panels)
    norm = PowerNorm(0.5, 0.0, top)
    for ax in grid.ravel():
        ax.set_visible(False)
    for i, panel in enumerate(panels):
        row, column = divmod(i, across)
        pair = grid[2 * row : 2 * row + 2, column]
        for ax, values, name in zip(pair, (panel.trained, panel.theory), ("trained", "theory"), strict=True):
            ax.set_visible(True)
            _draw_plane(ax, panel, values.mean(0), norm)
            ax.set_ylabel(name if column == 0 else "")
        pair[0].set_title(panel.label)
        pair[1].set_xlabel(panel.note)
    bar = figure.colorbar(
        grid[0, 0].collections[0], ax=list(grid.ravel()), location="bottom", aspect=40, pad=0.02
    )
    bar.set_label("density")
    if title:
        figure.suptitle(title)
    return figure


def _draw_plane(ax: Axes, panel: DensityPanel, density: np.ndarray, norm: Normalize) -> None:
    ax.grid(False)
    ax.pcolormesh(panel.edges, panel.edges, density.T, norm=norm, cmap="viridis", rasterized=True, gid="map")
    ax.plot(
        *panel.points.T, "o", color="white", markersize=2.5, markeredgecolor=style.RING, markeredgewidth=0.6
    )
    ax.set_aspect("equal")
