from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import result_tables as fake

from simdiff.report.console import WORST, console_table
from simdiff.report.text import Report, build_report, headline, worst_first

RULE = {"precision": 0.005, "alpha": 0.05, "seed": 7, "sizes": (100, 200, 400), "correction": "Holm"}
RULE["text"] = "A theory is rejected at p < 0.05."
PROVENANCE = {
    "command": "simdiff run m=1,4",
    "device": "cpu",
    "versions": {"jax": "0.10.2", "numpy": "2.4"},
    "commit": "abc123",
    "date": "2026-01-01",
    "note": None,
}


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return fake.summary(psi_p=(0.5, 1.0, 2.0), ms=(1, math.inf), metrics=("test", "train"))


@pytest.fixture(scope="module")
def report(summary) -> str:
    figures = ["/run/figures/a curve.png", Path("/run/figures/a curve.pdf")]
    told = Report(summary, fake.extrapolation(summary), RULE, PROVENANCE)
    return build_report(told, figures, Path("/run"))


def section(report: str, name: str) -> str:
    return report.split(f"\n## {name}\n")[1].split("\n## ")[0]


def table_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in lines]


def test_headline_counts_the_verdicts(summary):
    assert headline(summary) == (
        "The simulation contradicts the theory: of 12 comparisons, 9 agree, 1 disagree, 2 inconclusive."
    )
    assert (
        headline(summary.assign(verdict="agree")) == "Theory and simulation agree in all of 12 comparisons."
    )
    assert headline(summary[summary.verdict != "disagree"]).startswith(
        "Nothing contradicts the theory: of 11"
    )
    assert headline(summary.assign(verdict="no theory")).startswith("No comparison")
    far = summary.assign(verdict="approximation", theory=1.0, estimate=1.25)
    assert headline(far) == (
        "The theory is of another model, an approximation to 12 estimates: off by 25% in the median, "
        "25% at most; nothing is tested."
    )


def test_report_says_what_was_asked_and_done(report):
    text = report.split("## ")[0]
    assert "Asked: precision 0.5%; level alpha = 5%; seed 7." in text
    assert "216 trials at 6 points" in text


def test_verdict_table_has_a_row_a_comparison_and_only_varying_parameters(report, summary):
    rows = table_of(section(report, "Verdicts"))
    assert rows[0][:3] == ["`m`", "`model.psi_p`", "metric"]
    assert len(rows) == 2 + len(summary)
    assert all(len(row) == len(rows[0]) for row in rows)
    assert sum(row[-1] == "**disagree**" for row in rows) == 1
    assert "`trainer.ridge` = 0.001" in section(report, "Verdicts")
    assert re.fullmatch(r"\d\.\d{4}\(\d\d\)", rows[2][4])


def test_lost_trials_and_missing_precision_are_listed(report, summary):
    assert (
        section(report, "Trials without a finite result").rstrip().endswith("- m = inf, model.psi_p = 2: 3")
    )
    missing = section(report, "What is missing")
    assert "m = inf, model.psi_p = 1: train: standard error 4%" in missing
    assert "no finite trial at d = 400" in missing
    fine = summary.assign(verdict="agree", bad=0)
    clean = build_report(Report(fine, fake.extrapolation(fine), RULE, PROVENANCE))
    assert "Nothing: every point" in section(clean, "What is missing")
    assert "None." in section(clean, "Trials without a finite result")
    assert "## Figures" not in clean


def test_points_with_too_few_trials_are_missing_whatever_their_verdict(summary):
    few = summary.assign(verdict="agree", reason="", trials="16+12+3", bad=0)
    needy = build_report(Report(few, fake.extrapolation(few), RULE | {"min_trials": 4}, PROVENANCE))
    assert section(needy, "What is missing").count("fewer than 4 trials") == 6
    content = build_report(Report(few, fake.extrapolation(few), RULE | {"min_trials": 3}, PROVENANCE))
    assert "fewer than" not in content


def test_rule_figures_and_provenance_are_written_out(report):
    rule = section(report, "Acceptance rule")
    assert "A theory is rejected at p < 0.05." in rule
    assert "- correction: Holm" in rule
    assert "text" not in rule
    assert "![a curve](figures/a%20curve.png)" in report
    assert "([PDF](figures/a%20curve.pdf))" in report
    provenance = section(report, "Provenance")
    assert "- command: `simdiff run m=1,4`" in provenance
    assert "jax 0.10.2, numpy 2.4" in provenance
    assert "note" not in provenance


def test_means_at_every_size_are_tabulated(report, summary):
    rows = table_of(section(report, "Finite sizes"))
    assert rows[0][3:6] == ["d = 100", "d = 200", "d = 400"]
    assert len(rows) == 2 + len(summary)
    assert rows[-1][3:6] == ["n/a"] * 3


def test_sample_complexities_are_tabulated_with_what_to_know(summary):
    found = pd.DataFrame({"data.psi_D": [0.5, 1.0, 2.0], "m": 4, "metric": "score", "threshold": 0.1})
    found["sample_complexity"], found["ridge"] = [2.5, 1 / 3, math.nan], [0.01, 0.02, math.nan]
    found["reason"] = ["", "", "not reachable: the least value is 0.2"]
    text = build_report(Report(summary, fake.extrapolation(summary), RULE, {}, complexity=found))
    part = section(text, "Sample complexity")
    assert "least psi_n at which theory has score <= 0.1" in part
    rows = [["0.5", "2.5", "0.01", ""], ["1", "0.3333", "0.02", ""], ["2", "", "", "not reachable"]]
    assert table_of(part)[2:] == rows
    assert "Sample complexity" not in build_report(Report(summary, fake.extrapolation(summary), RULE, {}))


def test_a_long_report_keeps_the_worst(monkeypatch, summary):
    monkeypatch.setattr("simdiff.report.text.REPORT_ROWS", 3)
    rows = table_of(section(build_report(Report(summary, fake.extrapolation(summary), RULE, {})), "Verdicts"))
    assert [row[-1] for row in rows[2:]] == ["**disagree**", "inconclusive", "inconclusive"]


def test_worst_first_puts_disagreement_before_everything(summary):
    ordered = summary.iloc[worst_first(summary)]
    assert ordered.verdict.tolist()[:3] == ["disagree", "inconclusive", "inconclusive"]
    agree = ordered[ordered.verdict == "agree"]
    assert np.all(np.diff(np.abs((agree.estimate - agree.theory) / agree.stderr)) <= 0)


@pytest.mark.parametrize("width", [80, 120])
def test_console_table_fits_one_line_a_row(summary, width):
    lines = console_table(summary, width).splitlines()
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if re.search(r"(agree|inconclusive)$", line)]) == len(summary)
    assert "3 trials without a finite result" in lines[-1]
    assert "\x1b" not in "".join(lines)
    assert "\x1b[" in console_table(summary, width, color=True)


@pytest.mark.parametrize("width", [40, 80])
def test_long_tables_are_summed_up(width):
    text = console_table(fake.summary(), width)
    assert max(map(len, text.splitlines())) <= width
    if width == 80:
        assert f"The {WORST} worst of 105" in text
        assert len(text.splitlines()) < 30
        assert re.search(r"^test +20 +1 +0 ", text, flags=re.M)
        assert "105 comparisons, 102 agree, 1" in text


def test_digits_are_never_cut(summary):
    wide, narrow = (console_table(summary, width) for width in (100, 30))
    assert "11.853(26)" in wide
    assert "".join(narrow.split()).count("…") == 0


def test_many_parameters_still_fit_80_columns(summary):
    many = summary.assign(
        **{"t": 0.1 + 0.01 * pd.factorize(summary.point)[0], "psi_n": 1.5 + pd.factorize(summary.point)[0]}
    )
    assert max(map(len, console_table(many, 80).splitlines())) <= 80


def test_a_time_axis_becomes_a_column(summary):
    late = pd.concat([summary.assign(time=t) for t in (1.0, 10.0)])
    table = pd.concat([fake.extrapolation(summary).assign(time=t) for t in (1.0, 10.0)])
    rows = table_of(section(build_report(Report(late, table, RULE, {})), "Finite sizes"))
    assert rows[0][2] == "`time`"
    assert len(rows) == 2 + len(late)
    assert "" not in rows[2][4:7]


def test_known_disagreements_are_told_where_there_are_any():
    summary, why = fake.summary(), "the theory forgets the noise"
    facts = (summary, fake.extrapolation(summary), RULE, {"seed": 1})
    assert (summary["verdict"] == "disagree").any()
    for text in (console_table(summary, 200, known=why), build_report(Report(*facts, known=why))):
        assert f"Known: {why}" in text
    right = summary[summary["verdict"] == "agree"]
    assert "Known" not in console_table(right, 200, known=why)
    assert "Known" not in console_table(summary, 200)
