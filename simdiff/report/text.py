"""The words and tables of a run's `report.md`; `console` shows part of them in a terminal.

Both read the summary table (one row per point, time and metric) and take whatever columns it has beyond
the results as the problem's parameters; only those that vary become columns here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from simdiff.report import phrases as wording
from simdiff.report.plots import columns
from simdiff.report.plots.numbers import percent, plain_text, with_error, without_error
from simdiff.validation import (
    AGREE,
    APPROXIMATION,
    COMPARED,
    DISAGREE,
    INCONCLUSIVE,
    STATUSES,
    UNDECIDED,
)

REPORT_ROWS = 500
"""A table of the report stops here, worst rows first; the stored tables always have them all."""

ALWAYS = (AGREE, DISAGREE, INCONCLUSIVE)
"""Counted even where there are none."""

LEGEND = (
    "*simulation*: limit of infinite size, or mean at the only size that data have (order 0), its standard "
    "error in brackets in units of the last digits; "
    "*deviation*: (simulation - theory)/theory; *pull*: (simulation - theory)/standard error; "
    "*p raw*: of the comparison alone; *p*: adjusted for their number (Holm)."
)


def headline(summary: pd.DataFrame) -> str:
    """Say in one sentence how many comparisons agree, disagree and are inconclusive, of how many."""
    count = counts(summary)
    compared = sum(count[v] for v in COMPARED)
    if not compared and count[APPROXIMATION]:
        return _distances(summary[summary["verdict"] == APPROXIMATION])
    if not compared:
        return f"No comparison with a theory was made; {wording.plural(len(summary), 'estimate')}."
    whole = wording.plural(compared, "comparison")
    if count[AGREE] == compared:
        return f"Theory and simulation agree in all of {whole}."
    verdict = "The simulation contradicts the theory" if count[DISAGREE] else "Nothing contradicts the theory"
    parts = ", ".join(f"{count[v]} {v}" for v in COMPARED if count[v] or v in ALWAYS)
    return f"{verdict}: of {whole}, {parts}."


def _distances(summary: pd.DataFrame) -> str:
    """How far the theory of another model is off."""
    far = np.abs(columns.deviations(summary))
    far = far[np.isfinite(far)]
    said = f"The theory is of another model, an approximation to {wording.plural(len(summary), 'estimate')}"
    if not far.size:
        return f"{said}; nothing is tested."
    off = f"off by {percent(float(np.median(far)))} in the median, {percent(float(far.max()))} at most"
    return f"{said}: {off}; nothing is tested."


@dataclasses.dataclass(frozen=True)
class Report:
    """What is reported of a run, in words.

    summary, extrapolation: the tables of the run.
    rule: the acceptance rule as fixed before the run; its precision, alpha, seed and min_trials are used
        where it has them, its "text" is its wording as a sentence, and all of it is shown.
    provenance: device, versions, commit, date, command or whatever is known.
    complexity: the table of sample complexities, if one was asked for.
    lacking: {point: {d: trials that are still to run}} of a run that is not finished.
    known: what is known of disagreements.
    claim: of the paper that the run follows.
    """

    summary: pd.DataFrame
    extrapolation: pd.DataFrame
    rule: Mapping[str, Any]
    provenance: Mapping[str, Any]
    title: str = "simdiff report"
    complexity: pd.DataFrame | None = None
    lacking: Mapping[str, Mapping[int, int]] = dataclasses.field(default_factory=dict)
    known: str = ""
    claim: str = ""

    def sections(self) -> dict[str, str]:
        """{heading: Markdown}; "" where there is nothing to say."""
        return {
            "Acceptance rule": _rule(self.rule),
            "Verdicts": _verdicts(self.summary),
            "Trials without a finite result": _non_finite(self.summary),
            "What is missing": wording.missing(self.summary, self.rule, self.lacking),
            "Finite sizes": _finite_sizes(self.summary, self.extrapolation),
            "Sample complexity": _complexity(self.complexity),
            "Provenance": _facts(self.provenance),
        }

    def remarks(self) -> list[str]:
        """What stands below the headline: what was asked and done, what is known, what is unfinished."""
        left = wording.unfinished(self.summary, self.lacking) if self.lacking else ""
        known = known_disagreements(self.summary, self.known)
        told = [self.claim, _effort(self.summary, self.rule), known, left]
        return [text for text in told if text]


def build_report(report: Report, figures: Sequence[str | Path] = (), folder: Path | None = None) -> str:
    """The text of `report.md` (Markdown).

    `figures`: image files; each PNG is embedded, with a link to the PDF of the same name when that is in the
    list. `folder`: where the report will lie, so that links are relative to it.
    """
    parts = [f"# {report.title}", f"**{headline(report.summary)}**", *report.remarks()]
    if report.lacking:
        parts[-1] = f"**{parts[-1]}**"
    sections = report.sections()
    origin = sections.pop("Provenance")
    whole = {**sections, "Figures": _figures(figures, folder), "Provenance": origin}
    return "\n\n".join([*parts, *(f"## {name}\n\n{text}" for name, text in whole.items() if text)]) + "\n"


def known_disagreements(summary: pd.DataFrame, known: str) -> str:
    """What the experiment says of its disagreements, where there are any; "" otherwise."""
    return f"Known: {known}" if known and (summary["verdict"] == DISAGREE).any() else ""


def worst_first(summary: pd.DataFrame) -> np.ndarray:
    """Order rows (rows,): disagreeing, inconclusive, the rest; in each the largest |pull| first."""
    rank = {DISAGREE: 0, AGREE: 2} | dict.fromkeys(UNDECIDED, 1)
    group = np.array([rank.get(str(v), 3) for v in summary["verdict"]])
    size = np.nan_to_num(np.abs(columns.pulls(summary)), nan=-1.0)
    return np.lexsort((-size, group))


def counts(summary: pd.DataFrame) -> dict[str, int]:
    """{verdict: rows that have it}, of every verdict."""
    found = summary["verdict"].value_counts()
    return {v: int(found.get(v, 0)) for v in STATUSES}


def lost_trials(summary: pd.DataFrame) -> pd.Series:
    """Count the trials of every point without a finite result: {digest: count}."""
    return summary.groupby("point", sort=False)["bad"].max().fillna(0).astype(int)


def _markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(c.replace("|", r"\|") for c in line) + " |" for line in lines)


def _rule(rule: Mapping[str, Any]) -> str:
    """Write the rule: its own sentence when it has one ("text"), then every setting."""
    settings = {name: value for name, value in rule.items() if name != "text"}
    sentence = f"{rule['text']}\n\n" if rule.get("text") else ""
    return f"Fixed before the run.\n\n{sentence}{_facts(settings)}"


def _facts(facts: Mapping[str, Any]) -> str:
    """Write a mapping as a list, nested values on one line, empty ones left out."""
    kept = {k: v for k, v in facts.items() if v is not None and v not in ("", {}, [], ())}
    lines = [f"- {name.replace('_', ' ')}: {_fact(value, name)}" for name, value in kept.items()]
    return "\n".join(lines) or "Nothing is recorded."


def _fact(value: Any, name: str = "") -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_fact(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple, set)):
        return ", ".join(_fact(v) for v in value)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"`{text}`" if name in ("command", "commit") else text


def _effort(summary: pd.DataFrame, rule: Mapping[str, Any]) -> str:
    """Say which precision was asked and reached, at which level, with which seed and how many trials."""
    numbers = {k: v for k, v in rule.items() if isinstance(v, (int, float))}
    asked = []
    if "precision" in numbers:
        asked.append(f"precision {percent(numbers['precision'])}")
    if "alpha" in numbers:
        asked.append(f"level alpha = {percent(numbers['alpha'])}")
    asked += [f"{name} {_fact(rule[name])}" for name in ("seed", "seeds") if name in rule]
    trials = sum(sum(wording.trials(t)) for t in summary.drop_duplicates("point")["trials"])
    done = f"Done: {wording.plural(trials, 'trial')} at {wording.plural(summary['point'].nunique(), 'point')}"
    estimate = columns.numbers(summary["estimate"])
    known = np.isfinite(estimate) & (estimate != 0) & np.isfinite(columns.numbers(summary["stderr"]))
    shares = columns.numbers(summary["stderr"])[known] / np.abs(estimate[known])
    if shares.size:
        done += f"; standard errors of {percent(float(np.median(shares)))} of the value in the median, "
        done += f"{percent(float(shares.max()))} at most"
    return (f"Asked: {'; '.join(asked)}. " if asked else "") + done + "."


RESULT_TITLES = ("metric", "theory", "simulation", "deviation", "pull", "p raw", "p", "verdict")


def row_texts(shown: pd.DataFrame, keys: Sequence[str]) -> list[list[str]]:
    """The comparisons as texts: the parameters `keys`, then `RESULT_TITLES`."""
    theory, estimate, stderr, raw, p = (
        columns.numbers(shown[c]) for c in ("theory", "estimate", "stderr", "p_value", "p_adjusted")
    )
    pulls, shares = columns.pulls(shown), columns.deviations(shown)
    return [
        [
            *(plain_text(row[k]) for k in keys),
            str(row["metric"]),
            without_error(theory[i], stderr[i]) if math.isfinite(theory[i]) else "",
            with_error(estimate[i], stderr[i]),
            f"{100 * shares[i]:+.2f}%" if math.isfinite(shares[i]) else "",
            f"{pulls[i]:+.1f}" if math.isfinite(pulls[i]) else "",
            f"{raw[i]:.2g}" if math.isfinite(raw[i]) else "",
            f"{p[i]:.2g}" if math.isfinite(p[i]) else "",
            str(row["verdict"]),
        ]
        for i, (_, row) in enumerate(shown.iterrows())
    ]


def _verdicts(summary: pd.DataFrame) -> str:
    """Tabulate every comparison, and say what is common to all."""
    keys = wording.keys(summary)
    shown = summary if len(summary) <= REPORT_ROWS else summary.iloc[worst_first(summary)[:REPORT_ROWS]]
    rows = [[*r[:-1], f"**{r[-1]}**" if r[-1] == DISAGREE else r[-1]] for r in row_texts(shown, keys)]
    parts = [_markdown([*(f"`{k}`" for k in keys), *RESULT_TITLES], rows), LEGEND]
    if len(shown) < len(summary):
        parts.insert(0, f"The {len(shown)} worst of {len(summary)}; the summary table has them all.")
    if common := columns.fixed(summary):
        parts.append(
            "The same in every row: " + ", ".join(f"`{k}` = {plain_text(v)}" for k, v in common.items())
        )
    return "\n\n".join(parts)


def _non_finite(summary: pd.DataFrame) -> str:
    """Count the trials that gave no finite number, point by point."""
    bad = lost_trials(summary)
    if not bad.sum():
        return "None."
    first, keys = summary.drop_duplicates("point").set_index("point"), columns.varying(summary)
    lines = [f"- {wording.where(first.loc[p], keys)}: {n}" for p, n in bad[bad > 0].items()]
    count = wording.plural(int(bad.sum()), "trial")
    return f"{count}, stored with status and seed, and left out of every mean.\n\n" + "\n".join(lines)


def _finite_sizes(summary: pd.DataFrame, extrapolation: pd.DataFrame) -> str:
    """Tabulate the mean at every size and the goodness of the fit."""
    if extrapolation.empty:
        return ""
    join = ["point", "metric", *(c for c in ("theory_name", "time") if c in extrapolation.columns)]
    means: dict[tuple[Any, ...], dict[int, str]] = {}
    numbers = zip(*(columns.numbers(extrapolation[c]) for c in ("d", "mean", "stderr")), strict=True)
    for name, (d, mean, stderr) in zip(_names(extrapolation, join), numbers, strict=True):
        means.setdefault(name, {})[int(d)] = with_error(mean, stderr)
    sizes, keys, shown = sorted({d for row in means.values() for d in row}), wording.keys(summary), summary
    if len(summary) > REPORT_ROWS:
        shown = summary.iloc[worst_first(summary)[:REPORT_ROWS]]
    rows = []
    for name, (_, row) in zip(_names(shown, join), shown.iterrows(), strict=True):
        at = [means.get(name, {}).get(d, "") for d in sizes]
        goodness = columns.numbers([row.get(c, math.nan) for c in ("chi2", "chi2_dof", "p_fit")])
        fit = [f"{v:.2g}" if math.isfinite(v) else "" for v in goodness]
        fit = [str(row.get("corrections", "")), *fit]
        rows.append([*(plain_text(row[k]) for k in keys), str(row["metric"]), *at, *fit])
    heads = [*(f"`{k}`" for k in keys), "metric", *(f"d = {d}" for d in sizes)]
    heads += ["corrections", "chi2", "of", "p"]
    about = "Means at size d, the corrections fitted, and chi2 with its degrees of freedom and p-value (none "
    about += "where there are as many sizes as coefficients: then nothing tests the extrapolation).\n\n"
    return about + _markdown(heads, rows)


def _complexity(table: pd.DataFrame | None) -> str:
    """Tabulate the least psi_n of every problem, its ridge, and the first words of what to know."""
    if table is None:
        return ""
    keys = [c for c in columns.varying(table) if c not in columns.COMPLEXITY]
    found = zip(*(columns.numbers(table[c]) for c in ("sample_complexity", "ridge")), strict=True)
    rows = []
    for (_, row), numbers in zip(table.iterrows(), found, strict=True):
        texts = [f"{v:.4g}" if math.isfinite(v) else "" for v in numbers]
        rows.append([*(plain_text(row[k]) for k in keys), *texts, str(row["reason"]).split(":")[0]])
    goal = f"{table['metric'].iloc[0]} <= {table['threshold'].iloc[0]:.4g}"
    head = f"The least psi_n at which theory has {goal}; nothing is simulated. The stored table has reasons."
    return f"{head}\n\n{_markdown([*(f'`{k}`' for k in keys), 'psi_n', 'ridge', ''], rows)}"


def _names(table: pd.DataFrame, join: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return what identifies each row: its plain values in the columns `join`."""
    return [tuple(columns.plain(v) for v in row) for row in table[list(join)].itertuples(index=False)]


def _figures(figures: Sequence[str | Path], folder: Path | None) -> str:
    """Embed every PNG, and link the PDF of the same name."""
    paths = [Path(f) for f in figures]
    if folder is not None:
        paths = [p.relative_to(folder) if p.is_relative_to(folder) else p for p in paths]
    stems = {p.with_suffix("") for p in paths if p.suffix == ".pdf"}
    parts = []
    for path in (p for p in paths if p.suffix == ".png"):
        pdf = (
            f" ([PDF]({quote(path.with_suffix('.pdf').as_posix())}))" if path.with_suffix("") in stems else ""
        )
        name = path.stem.replace("_", " ")
        parts.append(f"![{name}]({quote(path.as_posix())})\n\n*{name}*{pdf}")
    return "\n\n".join(parts)
