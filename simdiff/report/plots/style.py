"""The one look of every figure, and how a figure gets to disk.

Sizes are in inches and suit a journal (one column, or a whole page width) and, at 200 dots an inch, a
README. Colours are those of Okabe and Ito, which stay apart for colour-blind readers; series differ
in marker too, so nothing depends on colour alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import itertools
import math
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simdiff.errors import InputError
from simdiff.report.plots.columns import DISAGREE, UNDECIDED

COLUMN, PAGE = 3.4, 7.0
"""Widths in inches: one column of a two-column paper, and the page between its margins."""

DPI = 200

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#5B4A3F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
RING = "#D00000"
"""Colour of what contradicts the theory; no series has it."""
GREY = "#777777"

BARS: dict[str, Any] = {"elinewidth": 0.9, "capsize": 1.8, "capthick": 0.9, "zorder": 3}

RING_LOOK: dict[str, Any] = {
    "color": RING,
    "marker": "o",
    "markersize": 10,
    "markerfacecolor": "none",
    "markeredgewidth": 1.5,
    "linestyle": "none",
    "zorder": 4,
}
"""How a point that disagrees with the theory is marked, whatever its own marker."""

RC: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.2,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,
}


@contextlib.contextmanager
def house() -> Iterator[None]:
    """Apply the house style, as a context manager or decorator, whatever the user's own settings are."""
    with matplotlib.style.context(RC, after_reset=True):
        yield


def colours(count: int) -> list[str]:
    """`count` distinct colours: the palette, or steps of viridis when it is too short."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    steps = matplotlib.colormaps["viridis"]
    return [matplotlib.colors.to_hex(steps(0.92 * i / (count - 1))) for i in range(count)]


def markers(count: int) -> list[str]:
    """`count` marker shapes, repeating after ten."""
    return [MARKERS[i % len(MARKERS)] for i in range(count)]


def panels(count: int, height: float = 2.35, columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels of `height` inches, in a row three at most; needs `house()`."""
    columns = columns or {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = math.ceil(count / columns)
    width = 1.3 * COLUMN if columns == 1 else PAGE
    figure, axes = grid(rows, columns, (width, height * rows + 0.5), used=count)
    return figure, list(axes.ravel()[:count])


NewFigure = Callable[[tuple[float, float]], Figure]
"""Makes a figure of so many inches."""

_CANVAS: contextvars.ContextVar[tuple[list[Axes], NewFigure]] = contextvars.ContextVar("canvas")
"""The axes to draw in, and what makes a new figure where there are none; unset: figures are for files."""


@contextlib.contextmanager
def canvas(axes: Any, new: NewFigure) -> Iterator[None]:
    """Draw in these axes, one or several, or in figures that `new` makes where they are None."""
    token = _CANVAS.set(([] if axes is None else list(np.ravel(axes)), new))
    try:
        yield
    finally:
        _CANVAS.reset(token)


def _given() -> tuple[list[Axes], NewFigure]:
    return _CANVAS.get(([], lambda size: Figure(figsize=size)))


def grid(
    rows: int, columns: int, size: tuple[float, float], *, used: int | None = None, **shared: Any
) -> tuple[Figure, np.ndarray]:
    """Axes (rows, columns) of a new figure of `size` inches, or those that `canvas` was given.

    used: how many of them, the others are left out. shared: as of `Figure.subplots`.
    """
    used = rows * columns if used is None else used
    given, new = _given()
    if given:
        if len(given) != used:
            hint = "metrics=[...] draws fewer panels"
            raise InputError("ax", f"{len(given)} axes", f"{used}, one for each panel", hint)
        return given[0].get_figure(root=True), np.array(  # type: ignore[return-value]
            given + [None] * (rows * columns - used), dtype=object
        ).reshape(rows, columns)
    figure = new(size)
    if used == rows * columns:
        return figure, figure.subplots(rows, columns, squeeze=False, **shared)
    found = np.full(rows * columns, None, dtype=object)
    found[:used] = [figure.add_subplot(rows, columns, i + 1) for i in range(used)]
    return figure, found.reshape(rows, columns)


def legend_above(figure: Figure, *parts: Sequence[Artist], title: str = "") -> None:
    """Put one legend for all panels above them: in one row when it fits, else every part starts a row."""
    handles = [h for part in parts for h in part]
    if not handles:
        return
    if given := _given()[0]:
        given[0].legend(handles=handles, title=title or None)
        return
    if sum(map(_width, handles)) <= figure.get_figwidth():
        rows = [handles]
    else:
        longest = max(map(len, parts))
        trials = ([row for p in parts for row in _balanced(p, k)] for k in range(longest, 0, -1))
        rows = next(r for r in trials if _fits(r, figure.get_figwidth()) or len(r) == len(handles))
    across = max(map(len, rows))
    blank = Line2D([], [], linestyle="none", label=" ")
    # A legend fills its columns first, so short rows need blanks.
    filled = [row[i] if i < len(row) else blank for i in range(across) for row in rows]
    figure.legend(handles=filled, loc="outside upper center", ncols=across, title=title)


def _width(handle: Artist) -> float:
    """Return the inches of an entry: letters of 8.5 points, the handle and the gap to the next entry."""
    return 0.052 * len(str(handle.get_label()).replace("$", "").replace("\\", "")) + 0.5


def _fits(rows: Sequence[Sequence[Artist]], width: float) -> bool:
    """Tell whether the columns of a legend with these rows fit into `width` inches."""
    columns = itertools.zip_longest(*(map(_width, row) for row in rows), fillvalue=0.0)
    return sum(map(max, columns)) <= width


def _balanced(part: Sequence[Artist], most: int) -> list[list[Artist]]:
    """Split `part` into as few rows of at most `most` as hold it, of about equal length."""
    size = math.ceil(len(part) / max(1, math.ceil(len(part) / most)))
    return [list(part[i : i + size]) for i in range(0, len(part), size)] if part else []


def points_with_bars(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    error: np.ndarray,
    colour: str,
    marker: str,
    *,
    face: str | None = None,
    gid: str = "points",
) -> None:
    """Markers with bars of one standard error, all (points,); `face` fills the markers."""
    drawn = ax.errorbar(x, y, error, color=colour, fmt=marker, markerfacecolor=face or colour, **BARS)
    drawn.lines[0].set_gid(gid)


def verdict_handles(kinds: set[str]) -> list[Line2D]:
    """Legend entries for the signs of the verdicts in `kinds` that have one."""
    handles = []
    if DISAGREE in kinds:
        handles.append(Line2D([], [], **{**RING_LOOK, "markersize": 8}, label="disagrees"))
    if kinds & {*UNDECIDED}:
        look: dict[str, Any] = {"color": GREY, "markerfacecolor": "white", "marker": "o", "linestyle": "none"}
        handles.append(Line2D([], [], **look, label="inconclusive"))
    return handles


@house()
def lay_out(figure: Figure) -> Figure:
    """Place panels and legends for good, as a PNG of `save` has them; returns the figure.

    Else every file lays it out anew and is drawn twice. What is added afterwards gets no room of its own.
    """
    if (engine := figure.get_layout_engine()) is not None:
        dots, figure.dpi = figure.dpi, DPI
        engine.execute(figure)
        figure.dpi = dots
        with _no_layout():
            figure.set_layout_engine(None)  # "none" leaves a stand-in, for which all is still drawn twice
    return figure


@contextlib.contextmanager
def _no_layout() -> Iterator[None]:
    """The house style without its layout, which a figure that has none would get by being saved."""
    with house(), matplotlib.rc_context({"figure.constrained_layout.use": False}):
        yield


def save(figure: Figure, path: str | Path) -> tuple[Path, Path]:
    """Write `path`.png (200 dots an inch) and `path`.pdf; returns both paths.

    Each file appears whole or not at all (a temporary file in the same folder, then a rename), and
    the same figure gives the same bytes: no dates, no program names.
    """
    stem = Path(path)
    stem.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    out = [stem.with_name(f"{stem.name}.{kind}") for kind in metadata]
    for target, (kind, facts) in zip(out, metadata.items(), strict=True):
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            with _no_layout():
                figure.savefig(part, format=kind, metadata=facts)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    return out[0], out[1]


def svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element, texts as paths, with identifiers that begin with `name`.

    So several of them can stand in one page, and the same figure gives the same text.
    """
    out = io.StringIO()
    with _no_layout(), matplotlib.rc_context({"svg.hashsalt": name, "savefig.dpi": 110}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
