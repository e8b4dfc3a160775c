"""Every comparison of a run in one figure: its deviation in standard errors and in per cent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from simdiff.report.plots import columns, style
from simdiff.report.plots.labels import NO_NAMES, Names, key_text, metric_name, symbol, value_text

NAMED_POINTS = 24
"""Up to this many points have their parameters written under the axis."""

Place = Mapping[str, int]
"""The digest of each point -> its position on the x axis."""


@style.house()
def draw_deviations(
    summary: pd.DataFrame,
    *,
    precision: float | None = None,
    time: float | None = None,
    labels: Names = NO_NAMES,
) -> Figure:
    """All comparisons at once: (estimate - theory)/stderr above, relative deviation in % below.

    Points stand side by side in the order of their parameters; metrics differ in colour and marker.
    Grey bands: +-2 standard errors, and +-`precision` (relative) when given. A comparison that
    disagrees has a red ring, an inconclusive one is hollow. Rows without theory, estimate or standard
    error have no deviation and are left out. `time`: the recorded time (nearest; None: the last).
    """
    rows = columns.at_time(summary, time)
    names = columns.varying(rows)
    place = {p: i for i, p in enumerate(_sorted_points(rows, names))}
    figure, axes = style.grid(2, 1, (style.PAGE, 4.6), sharex=True)
    upper, lower = axes.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        error = 100 * columns.numbers(rows["stderr"]) / np.abs(columns.numbers(rows["theory"]))
    _draw(upper, rows, columns.pulls(rows), None, place)
    _draw(lower, rows, 100 * columns.deviations(rows), error, place)
    _frame(upper, columns.pulls(rows), 2.0, 3.2)
    _frame(lower, 100 * columns.deviations(rows), 100 * (precision or 0.0), 150 * (precision or 0.0))
    upper.set_ylabel("(simulation − theory)\n/ standard error")
    lower.set_ylabel("deviation from\ntheory (%)")
    _name_points((upper, lower), rows, names, place)
    style.legend_above(figure, _metric_handles(rows, labels), style.verdict_handles(set(rows["verdict"])))
    return figure


def _sorted_points(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the digests in the order of the parameters `names`."""
    first = rows.drop_duplicates("point")
    keys = {r["point"]: [columns.order(columns.plain(r[c])) for c in names] for _, r in first.iterrows()}
    return sorted(keys, key=lambda p: keys[p])


def _looks(rows: pd.DataFrame) -> dict[str, tuple[str, str, float]]:
    """Colour, marker and sideways shift of every metric that is compared."""
    names = columns.metrics_of(rows, "theory")
    if not names:
        return {}
    side = min(0.07 * (len(names) - 1), 0.28)
    shifts = np.linspace(-side, side, len(names))
    looks = zip(style.colours(len(names)), style.markers(len(names)), map(float, shifts), strict=True)
    return dict(zip(names, looks, strict=True))


def _draw(ax: Axes, rows: pd.DataFrame, y: np.ndarray, error: np.ndarray | None, place: Place) -> None:
    """One value a comparison; y and error are (rows,)."""
    x = np.array([place[p] for p in rows["point"]], dtype=float)
    metric, verdict = (rows[c].to_numpy(dtype=object) for c in ("metric", "verdict"))
    bars = np.zeros(len(rows)) if error is None else np.nan_to_num(error, posinf=0.0)
    for name, (colour, marker, shift) in _looks(rows).items():
        for hollow in (False, True):
            part = np.isfinite(y) & (metric == name) & (np.isin(verdict, columns.UNDECIDED) == hollow)
            if part.any():
                face = "white" if hollow else colour
                style.points_with_bars(ax, x[part] + shift, y[part], bars[part], colour, marker, face=face)
        wrong = np.isfinite(y) & (metric == name) & (verdict == columns.DISAGREE)
        if wrong.any():
            ax.plot(x[wrong] + shift, y[wrong], **style.RING_LOOK, gid="disagree")
    ax.axhline(0, color=style.GREY, linewidth=0.8, zorder=1)


def _frame(ax: Axes, y: np.ndarray, band: float, least: float) -> None:
    """Draw the band; set symmetric limits of at least `least`. Far outliers bend the axis (symlog)."""
    if band > 0:
        ax.axhspan(-band, band, color="#BBBBBB", alpha=0.3, linewidth=0, zorder=0, gid="band")
    size = np.abs(y[np.isfinite(y)])
    most = max(least, 1.3 * float(size.max(initial=0.0))) or 1.0
    typical = max(least, 3 * float(np.median(size))) if size.size else most
    if most > 6 * typical > 0:
        ax.set_yscale("symlog", linthresh=typical)
        most *= 2.5
        _bent_ticks(ax, band or float(f"{typical:.0e}"), most)
    ax.set_ylim(-most, most)


def _bent_ticks(ax: Axes, inner: float, most: float) -> None:
    """Ticks of an axis that is linear near 0: 0, +-`inner`, and the powers of ten beyond."""
    first = math.ceil(math.log10(2.5 * inner))
    positive = [inner, *(10.0**k for k in range(first, math.floor(math.log10(most)) + 1))]
    places = [-v for v in reversed(positive)] + [0.0, *positive]
    ax.yaxis.set_major_locator(FixedLocator(places))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FixedFormatter([value_text(v).replace("-", "−") for v in places]))


def _name_points(axes: Sequence[Axes], rows: pd.DataFrame, names: Sequence[str], place: Place) -> None:
    """Write the parameters of every point under the lower axis; of groups of points when they are many."""
    lower = axes[-1]
    lower.set_xlim(-0.6, len(place) - 0.4)
    first = rows.drop_duplicates("point").set_index("point")
    if len(place) > NAMED_POINTS:
        for ax in axes:
            ax.grid(False, axis="x")
        lower.set_xlabel(f"{len(place)} points, in the order of {', '.join(map(symbol, names)) or 'the run'}")
        lower.set_xticks([])
        if names:
            _name_groups(axes, [columns.plain(first.at[p, names[0]]) for p in place], names[0])
        return
    texts = [", ".join(value_text(columns.plain(first.at[p, c])) for c in names) for p in place]
    tilt: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, texts)) > 3 else {}
    )
    lower.set_xticks(range(len(place)), texts, **tilt)
    lower.set_xlabel(", ".join(map(symbol, names)))


def _name_groups(axes: Sequence[Axes], values: Sequence[Any], name: str) -> None:
    """Separate points whose first parameter differs, and write it under each group."""
    starts = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
    if len(starts) > NAMED_POINTS:
        return
    for ax in axes:
        for start in starts[1:]:
            ax.axvline(start - 0.5, color=style.GREY, linewidth=0.7, linestyle=(0, (1, 2)))
    middles = [(a + b - 1) / 2 for a, b in zip(starts, [*starts[1:], len(values)], strict=True)]
    axes[-1].set_xticks(middles, [key_text({name: values[i]}) for i in starts])
    for ax in axes:
        ax.tick_params(axis="x", length=0)


def _metric_handles(rows: pd.DataFrame, labels: Names) -> list[Line2D]:
    """Legend entries of the metrics."""
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=metric_name(name, labels))
        for name, (colour, marker, _) in _looks(rows).items()
    ]
