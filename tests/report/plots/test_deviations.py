from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import result_tables as fake
from test_curves import heights, legend_texts, tagged

from simdiff.report.plots import columns, style
from simdiff.report.plots.deviations import draw_deviations

METRICS = ("test", "train", "score")


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return fake.summary(psi_p=(0.5, 1.0, 2.0), ms=(1, math.inf), metrics=METRICS)


def test_every_comparison_is_there_in_both_units(summary, tmp_path):
    figure = draw_deviations(summary, precision=0.005)
    upper, lower = figure.axes
    pulls, shares = columns.pulls(summary), 100 * columns.deviations(summary)
    assert sorted(heights(upper, "points")) == pytest.approx(sorted(pulls[np.isfinite(pulls)]))
    assert sorted(heights(lower, "points")) == pytest.approx(sorted(shares[np.isfinite(shares)]))
    assert legend_texts(figure)[:1] == ["test"]
    style.save(figure, tmp_path / "deviations")


def test_disagreement_is_ringed_and_agreement_is_not(summary):
    for ax in draw_deviations(summary).axes:
        assert len(heights(ax, "disagree")) == 1
    for ax in draw_deviations(summary.assign(verdict="agree")).axes:
        assert tagged(ax, "disagree") == []


def test_an_outlier_bends_the_axis_only_when_it_is_far(summary):
    assert draw_deviations(summary).axes[0].get_yscale() == "symlog"
    near = summary[summary.verdict != "disagree"]
    assert draw_deviations(near).axes[0].get_yscale() == "linear"


def test_few_points_are_named_and_many_are_grouped(summary):
    few = draw_deviations(summary).axes[1]
    assert [t.get_text() for t in few.get_xticklabels()][:2] == ["1, 0.5", "1, 1"]
    many = fake.summary(psi_p=tuple(np.geomspace(0.3, 20, 15)), ms=(1, 4), metrics=("test",))
    ax = draw_deviations(many).axes[1]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["$m$ = 1", "$m$ = 4"]
    assert ax.get_xlabel().startswith("30 points")


def test_without_any_theory_it_is_empty_but_drawn(summary):
    bare = summary.assign(theory=math.nan, verdict="no theory")
    draw_deviations(bare.head(len(METRICS))).draw_without_rendering()
