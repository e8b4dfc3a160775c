"""A run as a notebook shows it: the headline, its table, the rule."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from simdiff.report import phrases as wording
from simdiff.report.text import RESULT_TITLES, headline, row_texts, worst_first

COLOURS = {"agree": "#00734d", "disagree": "#b00020", "no theory": "#666666"}
UNDECIDED = "#8a6100"
"""Of all other verdicts; each of these is told from white paper, and from the others by its word."""


def fragment(summary: pd.DataFrame, rule: str, most: int) -> str:
    """The headline, up to `most` rows, those that disagree first, and the rule."""
    keys = wording.keys(summary)
    shown = summary if len(summary) <= most else summary.iloc[worst_first(summary)[:most]]
    left = len(summary) - len(shown)
    more = f"<p>{left} more in <code>.table</code></p>" if left else ""
    table = html_table([*keys, *RESULT_TITLES], row_texts(shown, keys))
    return f"<p><b>{escape(headline(summary))}</b></p>{table}{more}<p><small>{escape(rule)}</small></p>"


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose last column is a verdict, in its colour."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Sequence[str]) -> str:
    *cells, verdict = row
    colour = COLOURS.get(verdict, UNDECIDED)
    return "".join(f"<td>{escape(c)}</td>" for c in cells) + (
        f'<td style="color:{colour};white-space:nowrap"><b>{escape(verdict)}</b></td>'
    )
