"""Spectra of the feature Gram matrix: the theory's density over a histogram of simulated eigenvalues."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simdiff.report.plots import style

BINS_A_DECADE = 12
ZERO = 1e-9
"""Eigenvalues below this share of the largest are zero but for rounding."""


@dataclasses.dataclass(frozen=True)
class SpectrumPanel:
    """One panel: a label; x and the density of log x (base e); atoms; edges; eigenvalues of trials."""

    label: str
    x: np.ndarray
    density: np.ndarray
    atoms: Sequence[tuple[float, float]]
    edges: np.ndarray
    eigenvalues: np.ndarray


@style.house()
def draw_spectra(panels: Sequence[SpectrumPanel], title: str = "") -> Figure:
    """A panel a spectrum on a logarithmic axis; equal areas are equal numbers of eigenvalues.

    The line is theory, the steps are the eigenvalues of simulated trials, dotted lines the edges of the
    intervals of the support. The weights of atoms, and the share of simulated eigenvalues that are zero,
    stand in the corner: a logarithmic axis has no zero.
    """
    figure, axes = style.panels(len(panels))
    for ax, panel in zip(axes, panels, strict=True):
        _draw(ax, panel)
    handles = [
        Line2D([], [], color=style.PALETTE[0], label="theory"),
        Patch(color="#D9D9D9", label="simulated eigenvalues"),
        Line2D([], [], color=style.GREY, linestyle=(0, (1, 1.6)), linewidth=1.0, label="edges"),
    ]
    style.legend_above(figure, handles, title=title)
    return figure


def _draw(ax: Axes, panel: SpectrumPanel) -> None:
    values = panel.eigenvalues.ravel()
    positive = values[values > ZERO * values.max()]
    low, high = np.log(positive.min()), np.log(positive.max())
    count = max(10, round((high - low) / np.log(10) * BINS_A_DECADE))
    heights, ends = np.histogram(np.log(positive), bins=count)
    share = heights / values.size / np.diff(ends)
    ax.stairs(share, np.exp(ends), fill=True, color="#D9D9D9", zorder=1, gid="histogram")
    for part in _intervals(panel):
        ax.plot(panel.x[part], panel.density[part], color=style.PALETTE[0], zorder=3, gid="density")
    for edge in panel.edges[panel.edges > 0]:
        ax.axvline(edge, color=style.GREY, linestyle=(0, (1, 1.6)), linewidth=1.0, zorder=2, gid="edge")
    ax.set(xscale="log", xlabel="eigenvalue $x$ of $U$", ylabel="density of $\\ln x$", title=panel.label)
    ax.set_ylim(0, 1.08 * max(share.max(), float(np.quantile(panel.density, 0.98))))
    notes = [f"atom at {place:.3g}: {weight:.3f}" for place, weight in panel.atoms]
    zeros = 1.0 - positive.size / values.size
    notes += [f"simulated zeros: {zeros:.3f}"] if zeros > 0 else []
    ax.text(0.98, 0.97, "\n".join(notes), transform=ax.transAxes, ha="right", va="top", fontsize=8)


def _intervals(panel: SpectrumPanel) -> list[np.ndarray]:
    """Which of the places lie in each interval of the support."""
    slack = 1e-9
    found = [
        (panel.x >= low * (1 - slack)) & (panel.x <= high * (1 + slack)) & (panel.x > 0)
        for low, high in panel.edges
    ]
    return [part for part in found if part.any()]
