"""Words about rows of the summary table: what tells them apart, and what a run still lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from simdiff.report.plots import columns
from simdiff.report.plots.numbers import plain_text
from simdiff.validation.rule import pilot_of_large


def plural(count: int, word: str) -> str:
    """A count with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def trials(text: Any) -> list[int]:
    """Read the numbers of trials at every size: "16+12+8" -> [16, 12, 8]."""
    parts = str(text).split("+")
    return [int(float(part)) for part in parts if part.strip().replace(".", "", 1).isdigit()]


def keys(summary: pd.DataFrame) -> list[str]:
    """Return the columns that tell the rows of one metric apart."""
    apart = [c for c in ("theory_name", "time") if c in summary and len(columns.values(summary, c)) > 1]
    return [*columns.varying(summary), *apart]


def where(row: Mapping[str, Any] | pd.Series, keys: Iterable[str]) -> str:
    """The values that tell a row from the others."""
    return ", ".join(f"{k} = {plain_text(row[k])}" for k in keys) or "the one point"


def unfinished(summary: pd.DataFrame, lacking: Mapping[str, Mapping[int, int]]) -> str:
    """Say how many points lack trials, and how many trials at least."""
    left = sum(sum(counts.values()) for counts in lacking.values())
    total = plural(summary["point"].nunique(), "point")
    return f"Unfinished: {len(lacking)} of {total}, {left} or more trials still to run."


def missing(summary: pd.DataFrame, rule: Mapping[str, Any], lacking: Mapping[str, Mapping[int, int]]) -> str:
    """List the points that lack trials, then what ended without the precision or the trials it needs."""
    least = pilot_of_large(int(rule.get("min_trials") or 2))
    first = summary.drop_duplicates("point").set_index("point")
    lines = [
        f"- {where(first.loc[point], columns.varying(summary))}: unfinished: "
        + ", ".join(f"{plural(count, 'trial')} to run at d = {d}" for d, count in counts.items())
        + f" (there are {plain_text(first.loc[point]['trials'])} at {plain_text(first.loc[point]['sizes'])})"
        for point, counts in lacking.items()
    ]
    ended = summary[~summary["point"].isin(list(lacking))]
    lines += _undecided(ended, keys(summary), least)
    return "\n".join(lines) or "Nothing: every point has the trials and the precision asked for."


def _undecided(summary: pd.DataFrame, apart: Sequence[str], least: int) -> list[str]:
    """Lines for the comparisons that are undecided, those with the same reason together."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for _, row in summary.iterrows():
        few = min(trials(row["trials"]), default=0) < least
        if few or row["verdict"] in columns.UNDECIDED:
            why = columns.plain(row["reason"]) or (f"fewer than {least} trials at a size" if few else "")
            done = f"trials {plain_text(row['trials'])} at d = {plain_text(row['sizes'])}"
            found.setdefault((where(row, apart), str(why), done), []).append(str(row["metric"]))
    return [f"- {at}: {', '.join(m)}: {why or 'no reason given'} ({t})" for (at, why, t), m in found.items()]
