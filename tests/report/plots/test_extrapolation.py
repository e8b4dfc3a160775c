from __future__ import annotations

import math

import numpy as np
import pytest
import result_tables as fake
from test_curves import heights, legend_texts, tagged

from simdiff.errors import InputError
from simdiff.report.plots import style
from simdiff.report.plots.extrapolation import draw_extrapolation, fitted, worst_point

METRICS = ("test", "train", "score")


@pytest.fixture(scope="module")
def tables():
    summary = fake.summary(psi_p=(0.5, 1.0, 2.0), ms=(1, math.inf), metrics=METRICS)
    return fake.extrapolation(summary), summary


def test_fitted_recovers_the_coefficients():
    d = np.array([50.0, 100, 200, 400])
    mean = 2.0 + 3.0 / d - 40.0 / d**2
    np.testing.assert_allclose(fitted(d, mean, np.full(4, 0.01), 2.0, (1.0, 2.0)), [3.0, -40.0], rtol=1e-9)
    assert abs(fitted(d, mean, np.full(4, 0.01), 2.0, (1.0,))[0] - 3.0) > 0.1


def test_worst_point_is_drawn_with_its_fit_limit_and_theory(tables, tmp_path):
    table, summary = tables
    figure = draw_extrapolation(table, summary, precision=0.005)
    rows = summary[summary.point == worst_point(summary)]
    assert (rows.verdict == "disagree").any()
    assert len(figure.axes) == 3
    for ax, (_, row) in zip(figure.axes, rows.iterrows(), strict=True):
        assert ax.get_xlabel() == "$1/d$"
        assert len(heights(ax, "points")) == len(fake.SIZES)
        assert heights(ax, "limit") == pytest.approx([row.estimate])
        assert heights(ax, "fit")[0] == pytest.approx(row.estimate)
        assert heights(ax, "theory")[0] == pytest.approx(row.theory)
        assert bool(tagged(ax, "disagree")) == (row.verdict == "disagree")
    assert "theory $\\pm$ 0.5%" in legend_texts(figure)
    style.save(figure, tmp_path / "extrapolation")


def test_means_move_to_the_asked_ratios(tables):
    table, summary = tables
    point = summary.point.iloc[0]
    plain = draw_extrapolation(table, summary, point).axes[0]
    moved = draw_extrapolation(table.assign(theory=table.theory + 0.01), summary, point).axes[0]
    assert np.subtract(heights(moved, "points"), heights(plain, "points")) == pytest.approx([-0.01] * 3)


def test_nan_and_missing_sizes_do_not_crash(tables):
    table, summary = tables
    lost = table.copy()
    lost.loc[lost.d == 200, "mean"] = math.nan
    point = summary.point.iloc[0]
    ax = draw_extrapolation(lost, summary.assign(theory=math.nan, verdict="no theory"), point).axes[0]
    assert len(heights(ax, "points")) == 2
    assert tagged(ax, "theory") == []
    gone = summary.assign(estimate=math.nan, stderr=math.nan, order=math.nan)
    draw_extrapolation(lost.head(0), gone, point).draw_without_rendering()


def test_unknown_point_is_named(tables):
    with pytest.raises(InputError, match="point: got 'nowhere'"):
        draw_extrapolation(*tables, "nowhere")
