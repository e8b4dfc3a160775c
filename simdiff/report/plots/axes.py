"""Where the values of one column go on an axis: linear or log, with a place for infinity and words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from simdiff.report.plots.columns import order, plain
from simdiff.report.plots.labels import value_text
from simdiff.report.plots.style import GREY

LOG_SPAN, LOG_Y_SPAN = 10.0, 50.0
"""Largest over smallest value above which a scale is logarithmic; the second for heights of curves."""


def is_wide(values: np.ndarray, span: float) -> bool:
    """Whether the finite values are all positive and span more than a factor `span`."""
    finite = values[np.isfinite(values)]
    return finite.size > 1 and finite.min() > 0 and finite.max() > span * finite.min()


def ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 5; 1, 3; or powers of ten) between `low` and `high` > 0 for a log axis."""
    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 2.2 else (1.0, 3.0) if decades < 3.2 else (1.0,)
    all_of_them = LogLocator(subs=subs, numticks=30).tick_values(low, high)
    found = [float(v) for v in all_of_them if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
    return found[:: math.ceil(len(found) / 8) if subs == (1.0,) else 1]


def log_axis(ax: Axes, which: str) -> None:
    """Make axis "x" or "y" logarithmic, with plain numbers on round ticks; call after drawing."""
    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    places = ticks(*getattr(ax, f"get_{which}lim")())
    if len(places) > 1:
        axis.set_major_locator(FixedLocator(places))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: value_text(float(f"{v:.10g}"))))


@dataclass(frozen=True)
class Scale:
    """The place of every value of one column.

    log: whether the axis is logarithmic. finite: the finite values, sorted. infinity: the position that
    stands for an infinite value, None when there is none. words: the categories of a column that is
    not numeric, placed at 0, 1, 2, ...
    """

    log: bool
    finite: tuple[float, ...]
    infinity: float | None
    words: tuple[Any, ...]

    def place(self, values: Iterable[Any]) -> np.ndarray:
        """Positions of the values (values,); NaN for what has none."""
        cells = [plain(v) for v in values]
        if self.words:
            rank = {word: i for i, word in enumerate(self.words)}
            return np.array([rank.get(c, math.nan) for c in cells], dtype=float)
        found = np.array([c if isinstance(c, float) else math.nan for c in cells], dtype=float)
        return np.where(np.isposinf(found), math.nan if self.infinity is None else self.infinity, found)

    def dress(self, ax: Axes) -> None:
        """Scale and ticks of the x axis; call after drawing, before further limits are set."""
        if self.words:
            ax.set_xticks(range(len(self.words)), [value_text(w) for w in self.words])
            ax.set_xlim(-0.5, len(self.words) - 0.5)
            return
        if self.log:
            log_axis(ax, "x")
        if self.infinity is not None:
            self._show_infinity(ax, self.infinity)

    def _show_infinity(self, ax: Axes, infinity: float) -> None:
        """Put a tick at the stand-in for infinity, set apart by a dotted line."""
        low, high = ax.get_xlim()
        edge = self.finite[-1] if self.finite else infinity / 2
        places = [v for v in ax.get_xticks() if low <= v <= edge + 1e-9 * abs(edge)]
        if len(self.finite) <= 6:
            places = list(self.finite)
        ax.xaxis.set_major_locator(FixedLocator([*places, infinity]))
        ax.xaxis.set_major_formatter(FixedFormatter([value_text(float(v)) for v in (*places, math.inf)]))
        between = math.sqrt(edge * infinity) if self.log else (edge + infinity) / 2
        ax.axvline(between, color=GREY, linewidth=0.7, linestyle=(0, (1, 3)))
        ax.set_xlim(low, high)


def scale_of(values: Iterable[Any]) -> Scale:
    """Return the scale that suits the values: words when one is no number, log when they span a decade."""
    cells = {plain(v) for v in values} - {None}
    if any(isinstance(c, str) for c in cells):
        return Scale(False, (), None, tuple(sorted(cells, key=order)))
    finite = np.array(sorted(c for c in cells if math.isfinite(c)), dtype=float)
    if not any(math.isinf(c) for c in cells):
        return Scale(is_wide(finite, LOG_SPAN), tuple(finite.tolist()), None, ())
    low, high = (float(finite[0]), float(finite[-1])) if finite.size else (1.0, 1.0)
    if is_wide(finite, 2.0):
        return Scale(True, tuple(finite.tolist()), high * max((high / low) ** 0.2, 1.5), ())
    beyond = high + max(0.25 * (high - low), 0.2 * abs(high), 0.5)
    return Scale(False, tuple(finite.tolist()), beyond, ())
