"""The verdicts of a run in a terminal: every row, or totals and the worst ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from simdiff.report import phrases as wording
from simdiff.report.plots import columns
from simdiff.report.plots.numbers import percent
from simdiff.report.text import (
    ALWAYS,
    RESULT_TITLES,
    counts,
    headline,
    known_disagreements,
    lost_trials,
    row_texts,
    worst_first,
)
from simdiff.validation import AGREE, DISAGREE, NO_THEORY, STATUSES, UNDECIDED

CONSOLE_ROWS, WORST = 40, 10
"""The console shows every row up to the first number, else totals and this many of the worst rows."""

STYLES = {AGREE: "green", DISAGREE: "bold red", NO_THEORY: "dim"} | dict.fromkeys(UNDECIDED, "yellow")


def console_table(summary: pd.DataFrame, width: int = 80, *, color: bool = False, known: str = "") -> str:
    """Render the verdicts for a terminal of `width` columns.

    Up to 40 rows: every one. Beyond: totals for each metric, then the ten worst comparisons (those
    that disagree first, then the inconclusive, in each the furthest from the theory). The headline and
    the number of non-finite trials close it. `color` adds terminal colours.
    """
    if len(summary) <= CONSOLE_ROWS:
        parts: list[Any] = [_rich_rows(summary, wording.keys(summary))]
    else:
        worst = summary.iloc[worst_first(summary)[:WORST]]
        heading = Text(f"The {WORST} worst of {len(summary)}:")
        parts = [_rich_totals(summary), Text(""), heading, _rich_rows(worst, wording.keys(summary))]
    parts += [Text(""), Text(headline(summary))]
    parts += [Text(told)] if (told := known_disagreements(summary, known)) else []
    if lost := int(lost_trials(summary).sum()):
        parts.append(Text(f"{wording.plural(lost, 'trial')} without a finite result, left out of the means."))
    out = io.StringIO()
    system: Literal["standard"] | None = "standard" if color else None
    console = Console(file=out, width=width, force_terminal=color, color_system=system, highlight=False)
    console.print(Group(*parts))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _rich_rows(shown: pd.DataFrame, keys: Sequence[str]) -> Table:
    """Every row of `shown`, a line each when the terminal is wide enough; numbers wrap, never lose digits."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    left = {"metric", "verdict"}
    for name in [
        *(k.rsplit(".", 1)[-1] for k in keys),
        *(t for t in RESULT_TITLES if t != "deviation"),
    ]:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in row_texts(shown, keys):
        *head, theory, estimate, _, pull, raw, p, verdict = row
        table.add_row(
            *map(Text, [*head, theory, estimate, pull, raw, p]), Text(verdict, STYLES.get(verdict, ""))
        )
    return table


def _rich_totals(summary: pd.DataFrame) -> Table:
    """Verdicts counted for each metric, with the largest pull and the median deviation."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    found = counts(summary)
    words = [v for v in STATUSES if found[v] or v in ALWAYS]
    for name in ("metric", *words, "worst pull", "median |dev|"):
        table.add_column(name, justify="left" if name == "metric" else "right", overflow="fold")
    for metric, rows in summary.groupby("metric", sort=False):
        each = counts(rows)
        cells = [Text(str(each[v]), STYLES.get(v, "") if each[v] else "dim") for v in words]
        pulls, shares = (v[np.isfinite(v)] for v in (columns.pulls(rows), columns.deviations(rows)))
        worst = f"{pulls[np.abs(pulls).argmax()]:+.1f}" if pulls.size else ""
        middle = percent(float(np.median(np.abs(shares)))) if shares.size else ""
        table.add_row(Text(str(metric)), *cells, Text(worst), Text(middle))
    return table
