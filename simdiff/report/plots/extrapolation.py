"""One point's finite-size scaling: means against 1/d, the fit, its limit at 1/d = 0 and the theory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simdiff.errors import check_choice
from simdiff.report.plots import columns, style
from simdiff.report.plots.labels import NO_NAMES, Names, key_text, metric_name
from simdiff.validation.corrections import Corrections, evaluate, from_words

DATA, FIT, THEORY = style.PALETTE[0], style.PALETTE[0], "#222222"


@style.house()
def draw_extrapolation(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    point: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    precision: float | None = None,
    time: float | None = None,
    labels: Names = NO_NAMES,
) -> Figure:
    """One point's finite-size scaling: mean +- standard error against 1/d, the fit, its limit, the theory.

    `table`: the extrapolation table; `summary`: the summary table, which gives the limit, its standard
    error and the order of the fit. `point`: the digest; None takes the point with the largest
    |estimate - theory| / stderr. `precision`: half width of the band around the theory, relative.
    `time`: the recorded time (nearest; None: the last).

    The theory's dashed line is at the ratios asked for. Means are moved to these ratios by
    theory(asked) - theory(realised at d), which is zero when n and p came out as integers. The fitted
    line has the summary's limit and order; its slope is refitted here, weighted by 1/stderr^2.

    Raises `InputError` when the point or a metric is not in the table.
    """
    point = worst_point(summary) if point is None else check_choice("point", point, set(summary["point"]))
    rows = columns.at_time(summary[summary["point"] == point], time)
    means = columns.at_time(table[table["point"] == point], time)
    names = columns.need_metrics(rows, metrics) if metrics else columns.metrics_of(rows, "estimate")
    names = names or list(dict.fromkeys(rows["metric"]))
    figure, axes = style.panels(len(names))
    for ax, name in zip(axes, names, strict=True):
        _draw_panel(ax, means[means["metric"] == name], rows[rows["metric"] == name].iloc[0], precision)
        ax.set(xlabel="$1/d$", ylabel=metric_name(name, labels))
    style.legend_above(figure, _handles(precision), title=_title(summary, rows))
    return figure


def worst_point(summary: pd.DataFrame) -> str:
    """Return the digest of the point that is most standard errors away from theory, else the first."""
    size = np.nan_to_num(np.abs(columns.pulls(summary)), nan=-1.0, posinf=-1.0)
    return str(summary["point"].iloc[int(size.argmax())])


def fitted(
    d: np.ndarray, mean: np.ndarray, error: np.ndarray, limit: float, terms: Corrections
) -> np.ndarray:
    """Coefficients (terms,) of the corrections in mean(d) = limit + ..., weighted; inputs (sizes,)."""
    powers = evaluate(terms, d)
    weight = 1.0 / np.where(error > 0, error, error[error > 0].min(initial=1.0))
    return np.linalg.lstsq(powers * weight[:, None], (mean - limit) * weight, rcond=None)[0]


def _draw_panel(ax: Axes, means: pd.DataFrame, row: pd.Series, precision: float | None) -> None:
    """Means, fit, limit and theory of one metric."""
    limit, stderr, theory = columns.numbers([row["estimate"], row["stderr"], row["theory"]])
    d, mean, error, realised = (columns.numbers(means[c]) for c in ("d", "mean", "stderr", "theory"))
    mean = mean + np.nan_to_num(theory - realised)
    finite = np.isfinite(mean) & (d > 0)
    d, mean, error = d[finite], mean[finite], np.nan_to_num(error[finite], posinf=0.0)
    if d.size:
        style.points_with_bars(ax, 1 / d, mean, error, DATA, "o")
    if d.size and math.isfinite(limit):
        terms = _terms(row)[: d.size]
        _draw_fit(ax, d, fitted(d, mean, error, limit, terms), limit, terms)
    if math.isfinite(limit):
        bar = np.nan_to_num(np.array([stderr]), posinf=0.0)
        style.points_with_bars(ax, np.zeros(1), np.array([limit]), bar, DATA, "D", face="white", gid="limit")
    _draw_theory(ax, theory, precision)
    if row["verdict"] == columns.DISAGREE and math.isfinite(limit):
        ax.plot([0], [limit], **style.RING_LOOK, gid="disagree")
    right = 1.08 / d.min() if d.size else 1.0
    ax.set_xlim(-0.07 * right, right)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def _terms(row: pd.Series) -> Corrections:
    """The corrections that were fitted; tables of former versions have the number of powers of 1/d only."""
    if isinstance(row.get("corrections"), str):
        return from_words(row["corrections"])
    order = columns.numbers([row["order"]])[0]
    return (1.0, 2.0)[: int(order) if math.isfinite(order) else 1]


def _draw_fit(ax: Axes, d: np.ndarray, slopes: np.ndarray, limit: float, terms: Corrections) -> None:
    """Draw the limit with its corrections from 1/d = 0 to the smallest size."""
    grid = np.linspace(0, 1 / d.min(), 101)
    height = np.append(limit, limit + evaluate(terms, 1 / grid[1:]) @ slopes)
    ax.plot(grid, height, color=FIT, gid="fit", zorder=2)


def _draw_theory(ax: Axes, theory: float, precision: float | None) -> None:
    """Draw the theory as a dashed line, its tolerance as a band."""
    if not math.isfinite(theory):
        return
    ax.axhline(theory, color=THEORY, linestyle=(0, (5, 2)), linewidth=1.1, zorder=2, gid="theory")
    if precision:
        half = precision * abs(theory)
        ax.axhspan(theory - half, theory + half, color="#BBBBBB", alpha=0.35, linewidth=0, zorder=0)


def _title(summary: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return the parameters that tell this point from the others."""
    names = [*columns.varying(summary), *(["time"] if "time" in rows.columns else [])]
    first = {c: columns.plain(rows[c].iloc[0]) for c in names}
    return key_text({c: v for c, v in first.items() if v is not None})


def _handles(precision: float | None) -> list[Line2D | Patch]:
    """Return the legend of the finite-size figure."""
    limit: dict[str, Any] = {"color": DATA, "marker": "D", "markerfacecolor": "white", "linestyle": "none"}
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=DATA, marker="o", linestyle="none", label="simulation"),
        Line2D([], [], color=FIT, label="fit"),
        Line2D([], [], **limit, label=r"limit $d\to\infty$"),
        Line2D([], [], color=THEORY, linestyle=(0, (5, 2)), label="theory"),
    ]
    if precision:
        band = rf"theory $\pm$ {100 * precision:g}%"
        handles.append(Patch(color="#BBBBBB", alpha=0.35, linewidth=0, label=band))
    return handles
