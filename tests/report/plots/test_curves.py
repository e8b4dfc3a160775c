from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import result_tables as fake
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from simdiff.errors import InputError
from simdiff.report.plots import style
from simdiff.report.plots.curves import draw_curves

PAIR = ("test", "train")


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return fake.summary(metrics=PAIR)


def tagged(ax: Axes, tag: str) -> list[Line2D]:
    return [line for line in ax.get_lines() if line.get_gid() == tag]


def heights(ax: Axes, tag: str) -> list[float]:
    return [float(v) for line in tagged(ax, tag) for v in np.asarray(line.get_ydata())]


def legend_texts(figure) -> list[str]:
    return [t.get_text() for t in figure.legends[0].get_texts() if t.get_text().strip()]


def test_panels_lines_and_points(summary, tmp_path):
    figure = draw_curves(summary, fake.lines(metrics=PAIR))
    test, train = figure.axes
    assert test.get_xlabel() == r"$\psi_p = p/d$"
    assert (test.get_ylabel(), train.get_ylabel()) == ("test", "train")
    assert [len(line.get_xdata()) for line in tagged(test, "theory")] == [121] * 3
    finite = np.isfinite(summary.estimate) & (summary.metric == "test")
    assert sorted(heights(test, "points")) == pytest.approx(sorted(summary.estimate[finite]))
    assert test.get_xscale() == "log"
    assert all(path.exists() for path in style.save(figure, tmp_path / "curves"))


def test_error_bars_are_one_standard_error(summary):
    ax = draw_curves(summary, metrics=["test"], series=None).axes[0]
    drawn = sorted(
        float(np.diff(s[:, 1])[0]) / 2 for c in ax.containers for s in c.lines[2][0].get_segments() if len(s)
    )
    assert drawn == pytest.approx(sorted(summary.stderr[summary.metric == "test"]))


def test_verdicts_are_marked(summary):
    figure = draw_curves(summary)
    test, train = figure.axes
    wrong = summary[summary.verdict == "disagree"]
    assert heights(test, "disagree") == pytest.approx(wrong.estimate.tolist())
    assert tagged(train, "disagree") == []
    vague = summary[(summary.verdict == "inconclusive") & summary.estimate.notna()]
    assert heights(train, "inconclusive") == pytest.approx(vague.estimate.tolist())
    assert [line.get_markerfacecolor() for line in tagged(train, "inconclusive")] == ["white"]
    assert len(heights(train, "missing")) == 1
    texts = legend_texts(figure)
    assert {"disagrees", "inconclusive", "no estimate", r"$m$ = $\infty$"} <= set(texts)


def test_no_ring_where_everything_agrees(summary):
    figure = draw_curves(summary.assign(verdict="agree"))
    assert not any(tagged(ax, "disagree") for ax in figure.axes)
    assert "disagrees" not in legend_texts(figure)


def test_axes_are_logarithmic_only_when_values_span_enough(summary):
    narrow = summary[summary["model.psi_p"].between(0.5, 4)]
    assert draw_curves(narrow).axes[0].get_xscale() == "linear"
    wide = summary.assign(theory=summary.theory * summary["model.psi_p"] ** 3)
    assert draw_curves(wide).axes[0].get_yscale() == "log"
    assert draw_curves(wide.assign(theory=wide.theory - 1)).axes[0].get_yscale() == "linear"


def test_other_varying_parameters_split_the_series(summary):
    both = pd.concat([summary, summary.assign(point=summary.point + "x", psi_n=3)])
    figure = draw_curves(both)
    assert len(tagged(figure.axes[0], "theory")) == 6
    assert r"$m$ = 4, $\psi_n$ = 3" in legend_texts(figure)


def test_marks_take_the_colour_of_their_series(summary):
    figure = draw_curves(summary, marks={1: 2.0, 4: 8.0, "$p = n$": 3.0})
    colours = [line.get_color() for line in tagged(figure.axes[0], "mark")]
    assert colours == [style.PALETTE[0], style.PALETTE[1], style.GREY]
    assert legend_texts(figure)[-1] == "$p = n$"


def test_infinity_stands_beyond_the_last_value(summary):
    ax = draw_curves(summary, x="m", series="model.psi_p").axes[0]
    ax.figure.draw_without_rendering()
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels == ["1", "4", r"$\infty$"]
    assert ax.get_xticks()[-1] > 4
    assert len(heights(ax, "theory dash")) == 7
    assert max(float(v) for line in tagged(ax, "theory") for v in np.asarray(line.get_xdata())) == 4


def test_words_stand_side_by_side(summary):
    rows = summary[summary["model.psi_p"] == 1.2]
    both = pd.concat([rows, rows.assign(point=rows.point + "x", **{"model.activation": "relu"})])
    ax = draw_curves(both, x="model.activation").axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["relu", "tanh"]
    assert len(heights(ax, "theory dash")) == 6
    assert heights(ax, "theory") == []


def test_time_is_an_axis_or_the_last_one(summary):
    late = pd.concat([summary.assign(time=t, estimate=summary.estimate + t) for t in (1.0, 30.0)])
    last = draw_curves(late, metrics=["test"]).axes[0]
    assert min(heights(last, "points")) > 30
    rows = late[late["model.psi_p"] == 0.3]
    against = draw_curves(rows, x="time", metrics=["test"]).axes[0]
    assert against.get_xlabel() == r"training time $\tau$"
    assert len(heights(against, "points")) == 6


def test_nothing_but_nan_does_not_crash(summary):
    empty = summary.assign(estimate=math.nan, stderr=math.nan, theory=math.nan, verdict="inconclusive")
    draw_curves(empty).draw_without_rendering()
    holes = fake.lines(metrics=PAIR)
    holes.loc[::3, "theory"] = math.nan
    draw_curves(summary.assign(verdict="no theory", theory=math.nan), holes)


def test_bad_arguments_are_named(summary):
    with pytest.raises(InputError, match="x: got 'psi_p'"):
        draw_curves(summary, x="psi_p")
    with pytest.raises(InputError, match=r"metrics.*did you mean 'test'"):
        draw_curves(summary, metrics=["tset"])
    with pytest.raises(InputError, match=r"lines: got 'model.psi_p'"):
        draw_curves(summary, fake.grid(side=3).drop(columns="model.psi_p"))
