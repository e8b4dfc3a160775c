"""A run's tables, figures and report on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdiff.errors import InputError
from simdiff.report.figures import Told, draw_all, make_tables, saved, settings_of, unheard
from simdiff.report.page.page import Files, build_page, labels_of
from simdiff.report.plots import style
from simdiff.report.text import Report, build_report
from simdiff.run import contents
from simdiff.run.changed_code import keep_theory
from simdiff.run.drawing import material

if TYPE_CHECKING:
    from simdiff.run.run import Run


def write(run: Run, told: Told = unheard) -> Path:
    """Write everything but the trials, see `Run.write`; `told` hears what is being done."""
    if run.folder is None:
        hint = "give sweep or validate a folder, out="
        raise InputError("run", "a run in memory", "a run that has a folder", hint)
    keep_theory(run.studies[0], run.about.theory, run.folder)
    run.folder.write_table("summary", run.summary)
    run.folder.write_table("finite_sizes", run.sizes)
    told("asking the theory for tables")
    made = make_tables(material(run, settings_of(run.about.figure)))
    for name, table in made.items():
        run.folder.write_table(name, table)
    drawn = draw_all(material(run, settings_of(run.about.figure)).with_tables(made), told)
    told("writing the report")
    report = reported(run, made)
    run.folder.write_text("report.html", _page(run, report, drawn))
    return run.folder.write_text("report.md", build_report(report, saved(drawn, run.folder), run.folder.path))


def page(run: Run) -> str:
    """The run as one self-contained page."""
    found = material(run, settings_of(run.about.figure))
    made = make_tables(found)
    return _page(run, reported(run, made), draw_all(found.with_tables(made)))


def _page(run: Run, report: Report, drawn: Mapping[str, Any]) -> str:
    files = Files() if run.folder is None else Files(run.folder.files(), labels_of(run.summary))
    return build_page(report, {name: style.svg(figure, name) for name, figure in drawn.items()}, files)


def reported(run: Run, tables: Mapping[str, Any]) -> Report:
    """What is reported of a run, `tables` of figures included."""
    rows = contents.stored_rows(run.store, run.studies)
    return Report(
        run.summary,
        run.sizes,
        run.rule.describe() | {"seed": run.studies[0].seed},
        contents.facts(run.studies, rows, run.about, run.notes),
        run.about.title,
        tables.get("sample_complexity"),
        run.lacking,
        run.about.known,
        run.about.claim,
    )
