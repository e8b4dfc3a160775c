"""The data dictionary of a run: what is in every file and column, for somebody who has only the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from simdiff.validation import MEANINGS

if TYPE_CHECKING:
    from simdiff.run.run import Run

FILES = {
    "report.md, report.html": "verdicts in words and tables; figures/ has its figures",
    "summary": "one row for each point, metric (and time, and theory): what was found",
    "finite_sizes": "one row for each point, metric and size: the means that the limit is extrapolated from",
    "trials/<point>/": "one row for each trial (and time), in Parquet files",
    "rules/": "the acceptance rules, each with the date on which it was fixed, before its first trial",
    "config.yaml": "the resolved configuration; earlier ones have a number",
    "points.json": "the constructor arguments of every point's problem",
    "theories.json": "digits of the code of a user's own theory, with dates",
    "simdiff.json": "marks the folder as that of a run",
}

COLUMNS = {
    "point": "16 hex digits that identify the problem; with the arithmetic where one was asked for",
    "theory_name": "which of several theories",
    "time": "training time",
    "metric": "what is compared; the metrics are listed below",
    "theory": "the theory's value: in summary at the nominal ratios, in finite_sizes at those of the size",
    "estimate": "the limit of infinite size, extrapolated, or the mean at the only size (order 0)",
    "stderr": "standard error of the estimate, or of the mean",
    "p_value": "of this comparison alone",
    "p_adjusted": "corrected for the number of comparisons (Holm)",
    "verdict": "see below",
    "reason": "why: deviation, half width of the confidence interval, or what stands in the way",
    "order": "number of corrections that were fitted beside the limit",
    "corrections": "which: powers of 1/d",
    "chi2": "of the fit",
    "chi2_dof": "its degrees of freedom; 0: as many sizes as coefficients, nothing to test",
    "p_fit": "goodness of fit",
    "trials": "usable trials at every size, joined by +",
    "sizes": "the sizes, joined by +",
    "bad": "trials without a finite result",
    "d": "size",
    "mean": "of the usable trials at this size",
    "type": "class of the problem",
    "problem": "its description, JSON",
    "trial": "index of the trial; its numbers depend on problem, d, seed and this alone",
    "seed": "seed of the run",
    "status": "ok, or why the numbers are not to be used",
    "duration": "seconds per trial",
    "device": "what it ran on",
    "platform": "cpu, gpu, ...",
    "dtype": "arithmetic",
    "versions": "of the packages, JSON",
    "commit": "of simdiff's source",
    "settings": "of JAX and of its environment, JSON",
    "host_rows": "rows that were computed on the host",
}
"""What the columns of a run's tables mean, but for parameters and metrics."""


def dictionary(run: Run) -> str:
    """DATA.md of a run's archive (Markdown)."""
    described = [metric for study in run.studies for metric in study.problem.metrics]
    metrics = {metric.name: metric.meaning or "no description" for metric in described}
    names = dict.fromkeys([*run.summary, *run.sizes, *run.trials])
    known = {name: COLUMNS[name] for name in names if name in COLUMNS}
    parameters = [name for name in names if name not in COLUMNS and name not in metrics]
    parts = [
        f"# Data of {run.about.title}",
        f"Written by simdiff; `{run.about.command}`. `simdiff import` unpacks it, `simdiff.open` reads it.",
        _section("Files", FILES),
        _section("Columns", known),
        _section("Metrics", metrics),
        _section("Verdicts", MEANINGS),
        _section("Parameters", _values(run, parameters)),
        f"## Rule\n\n{run.rule}",
        "## Notes\n\n" + ("\n".join(f"- {note}" for note in run.notes) or "None."),
    ]
    return "\n\n".join(parts) + "\n"


def _values(run: Run, names: Iterable[str]) -> dict[str, str]:
    table = run.summary
    return {name: ", ".join(map(str, dict.fromkeys(table[name]))) for name in names if name in table}


def _section(title: str, entries: Mapping[str, str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- `{name}`: {text}" for name, text in entries.items())
