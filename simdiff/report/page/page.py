"""report.html: the sections of a report as one self-contained file, readable on a phone and in print."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from simdiff.report import phrases as wording
from simdiff.report.text import Report, headline
from simdiff.validation import AGREE, DISAGREE, MEANINGS, NO_THEORY, STATUSES, overall

FOLDED = ("Finite sizes", "Provenance", "Files")
"""Sections that are closed at first; in print they are open."""

_KIND = {AGREE: "agree", DISAGREE: "disagree", NO_THEORY: "none"}
_WORD = {True: "Agrees", False: "Disagrees", None: "Undecided"}


@dataclasses.dataclass(frozen=True)
class Files:
    """What lies beside the page: tables and texts, and {point: its label}, whose trials have folders."""

    names: Sequence[str] = ()
    trials: Mapping[str, str] = dataclasses.field(default_factory=dict)


def build_page(report: Report, svgs: Mapping[str, str], files: Files) -> str:
    """The whole page.

    Args:
        report: what is reported.
        svgs: {name of a figure: its SVG}, in the order in which they are shown.
        files: what is linked to.
    """
    sections = {name: text for name, text in report.sections().items() if text}
    first = {name: rendered(sections.pop(name)) for name in ("Verdicts",) if name in sections}
    body = {"Figures": _figures(svgs), **first, **{name: rendered(text) for name, text in sections.items()}}
    body["Files"] = _files(files)
    shown = {name: html for name, html in body.items() if html}
    parts = [_banner(report), _contents(shown), *(_section(name, html) for name, html in shown.items())]
    given = {"style": _asset("style.css"), "script": _asset("script.js"), "body": "\n".join(parts)}
    return _DOCUMENT.format(title=escape(report.title), **given)


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def rendered(markdown: str) -> str:
    """HTML of a section; tables can be scrolled sideways, and verdicts have their colours."""
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    html = html.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return _VERDICT_CELL.sub(_coloured, html)


_WORDS = "|".join(re.escape(status) for status in STATUSES)
_VERDICT_CELL = re.compile(rf"<td>(?:<strong>)?({_WORDS})(?:</strong>)?</td>")


def _coloured(cell: re.Match[str]) -> str:
    word = cell[1]
    return f'<td class="v {_KIND.get(word, "open")}" title="{escape(MEANINGS[word])}">{word}</td>'


def _banner(report: Report) -> str:
    """The title, the verdict, how many of each kind, what was asked and done."""
    agree = overall(report.summary["verdict"])
    kind = {True: "agree", False: "disagree", None: "open"}[agree]
    told = [f"<p>{escape(text)}</p>" for text in report.remarks()]
    return (
        f'<header class="{kind}"><h1>{escape(report.title)}</h1>'
        f'<p class="verdict"><b>{_WORD[agree]}.</b> {escape(headline(report.summary))}</p>'
        f"{_bar(report.summary)}{''.join(told)}</header>"
    )


def _bar(summary: pd.DataFrame) -> str:
    """The counts of verdicts as parts of a bar, with a legend."""
    counts = {word: int((summary["verdict"] == word).sum()) for word in STATUSES}
    found = {word: count for word, count in counts.items() if count}
    parts = "".join(f'<i class="{_KIND.get(w, "open")}" style="flex:{n}"></i>' for w, n in found.items())
    words = "".join(
        f'<li class="{_KIND.get(w, "open")}" title="{escape(MEANINGS[w])}">{n} {w}</li>'
        for w, n in found.items()
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div><ul class="counts">{words}</ul>'


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _contents(names: Iterable[str]) -> str:
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in names)
    return f"<nav>{links}</nav>"


def _section(name: str, html: str) -> str:
    head = f'<section id="{_anchor(name)}">'
    if name in FOLDED:
        return f"{head}<details><summary><h2>{escape(name)}</h2></summary>{html}</details></section>"
    return f"{head}<h2>{escape(name)}</h2>{html}</section>"


def _figures(svgs: Mapping[str, str]) -> str:
    return "".join(
        f"<figure>{svg}<figcaption>{escape(name.replace('_', ' '))}</figcaption></figure>"
        for name, svg in svgs.items()
    )


def _files(files: Files) -> str:
    """Links to what lies beside the page."""
    if not files.names and not files.trials:
        return ""
    tables = "".join(f"<li>{_link(name)}</li>" for name in files.names)
    of_points = "".join(
        f"<tr><td>{_link(f'trials/{point}/', escape(label))}</td><td><code>{point}</code></td></tr>"
        for point, label in files.trials.items()
    )
    head = "<thead><tr><th>trials of</th><th>point</th></tr></thead>"
    return f'<ul>{tables}</ul><div class="wide"><table>{head}<tbody>{of_points}</tbody></table></div>'


def _link(place: str, text: str = "") -> str:
    return f'<a href="{quote(place)}">{text or escape(place)}</a>'


def labels_of(summary: pd.DataFrame) -> dict[str, str]:
    """{point: the parameters in which it differs from others}."""
    from simdiff.report.plots.columns import varying

    names = varying(summary)
    first = summary.drop_duplicates("point")
    return {str(row["point"]): wording.where(row, names) for _, row in first.iterrows()}
