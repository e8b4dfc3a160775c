"""A run's table as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simdiff.errors import check_choice
from simdiff.report import phrases as wording
from simdiff.report.plots.labels import metric_name, symbol
from simdiff.report.plots.numbers import plain_text
from simdiff.report.text import RESULT_TITLES, row_texts

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {c: rf"\{c}" for c in "&%$#_{}"}
_DEFAULT = ("metric", "theory", "simulation", "p", "verdict")
_WORDS = ("metric", "verdict", "theory_name")


def latex_table(summary: pd.DataFrame, columns: Sequence[str] | None, labels: Mapping[str, str]) -> str:
    """A `tabular` with rules of booktabs; see `Run.to_latex`."""
    heads, rows = _chosen(summary, columns)
    where = heads.index("metric") if "metric" in heads else -1
    aligned = "".join("l" if head in _WORDS else "r" for head in heads)
    lines = [_line(_head(head) for head in heads), r"\midrule"]
    for row in rows:
        cells = [metric_name(text, labels) if i == where else _number(text) for i, text in enumerate(row)]
        lines.append(_line(cells))
    body = "\n".join([r"\toprule", *lines, r"\bottomrule"])
    return f"\\begin{{tabular}}{{{aligned}}}\n{body}\n\\end{{tabular}}\n"


def _chosen(summary: pd.DataFrame, columns: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    keys = wording.keys(summary)
    if columns is not None:
        names = [check_choice("columns", name, summary.columns) for name in columns]
        return names, [[plain_text(v) for v in row] for row in summary[names].itertuples(index=False)]
    heads = [*keys, *RESULT_TITLES]
    kept = [i for i, head in enumerate(heads) if head in (*keys, *_DEFAULT)]
    return [heads[i] for i in kept], [[row[i] for i in kept] for row in row_texts(summary, keys)]


def _line(cells: Any) -> str:
    return " & ".join(cells) + r" \\"


def _head(name: str) -> str:
    found = "$p$" if name == "p" else symbol(name)
    return found if "$" in found else escaped(found)


def _number(text: str) -> str:
    """A cell: powers of ten as such, infinity as its sign, minus signs of their width, words as they are."""
    if text in ("inf", "-inf"):
        return "$\\infty$" if text == "inf" else "$-\\infty$"
    power = re.fullmatch(r"([-+]?[\d.]+(?:\([\d.]+\))?)e([-+]\d+)", text)
    if power:
        return rf"${power[1]} \times 10^{{{int(power[2])}}}$"
    return f"${text}$" if re.fullmatch(r"[-+][\d.]+(\([\d.]+\))?%?", text) else escaped(text)


def escaped(text: str) -> str:
    """A text with LaTeX's special characters as characters."""
    return "".join(_SPECIAL.get(c, c) for c in text)
