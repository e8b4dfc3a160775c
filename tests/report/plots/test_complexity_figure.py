from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_curves import legend_texts, tagged

from simdiff.errors import InputError
from simdiff.report.plots import style
from simdiff.report.plots.complexity import draw_complexity

GRID = np.geomspace(0.1, 3.0, 8)


def law(psi_D: float, m: float) -> float:
    """A line of slope 5 / m that ends beyond psi_D = 1 for m = 1."""
    return math.nan if m == 1 and psi_D > 1 else 5 * psi_D / m


@pytest.fixture
def table() -> pd.DataFrame:
    rows = []
    for m in (1, 4):
        for psi_D in GRID:
            value = law(psi_D, m)
            found = {"sample_complexity": value, "reachable": math.isfinite(value), "bound": False}
            shared = {"data.psi_D": psi_D, "m": m, "model": "RandomFeatures", "metric": "score"}
            rest = {"threshold": 0.1, "ridge": 1e-3 * psi_D, "value": 0.1, "stays": True, "reason": ""}
            rows.append(shared | found | rest)
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def drawn(figure: Figure, tag: str) -> list[tuple[np.ndarray, np.ndarray]]:
    lines = tagged(figure.axes[0], tag)
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in lines]


def test_lines_have_a_gap_and_crosses_where_nothing_reaches(table, tmp_path):
    figure = draw_complexity(table, x="data.psi_D", series="m")
    for m, (x, y) in zip((1, 4), drawn(figure, "line"), strict=True):
        np.testing.assert_allclose(x, GRID)
        np.testing.assert_allclose(y, [law(v, m) for v in GRID])
    (crosses,) = [part for part in drawn(figure, "unreachable") if part[0].size]
    np.testing.assert_allclose(sorted(crosses[0]), GRID[GRID > 1])
    assert np.all((crosses[1] > 0.9) & (crosses[1] < 1))
    assert legend_texts(figure) == ["$m$ = 1", "$m$ = 4", "not reachable"]
    ax = figure.axes[0]
    assert ax.get_xlabel() == r"$\psi_D = D/d$"
    assert ax.get_ylabel() == r"least $\psi_n = n/d$ with score $\leq$ 0.1"
    top = max(np.nanmax(y) for _, y in drawn(figure, "line"))
    assert ax.transData.transform((1.0, top))[1] < ax.transAxes.transform((0, crosses[1].min()))[1]
    assert all(path.exists() for path in style.save(figure, tmp_path / "complexity"))


def test_where_everything_is_reached_there_are_no_signs(table):
    figure = draw_complexity(table[table["m"] == 4], x="data.psi_D")
    assert len(drawn(figure, "line")) == 1
    assert drawn(figure, "unreachable") == []
    assert not figure.legends


def test_a_parameter_that_distinguishes_nothing_new_is_not_in_the_legend(table):
    laws = {1: "LinearManifold", 4: "HiddenManifold"}
    named = table.drop(columns="m").assign(data=table["m"].map(laws))
    named["data.nonlinearity"] = named["data"].map({"HiddenManifold": "tanh"})
    figure = draw_complexity(named, x="data.psi_D", series="data")
    assert legend_texts(figure) == ["HiddenManifold", "LinearManifold", "not reachable"]


def test_bounds_and_unknown_values_are_marked_and_not_joined(table):
    odd = (
        table[table["m"] == 4]
        .sort_values("data.psi_D")
        .assign(reachable=lambda t: t.reachable.astype(object))
    )
    odd.iloc[0, odd.columns.get_loc("bound")] = True
    odd.iloc[2, odd.columns.get_loc("reachable")] = None
    odd.iloc[2, odd.columns.get_loc("sample_complexity")] = math.nan
    figure = draw_complexity(odd, x="data.psi_D")
    ((_, height),) = drawn(figure, "line")
    assert np.isnan(height).tolist() == [True, False, True, *[False] * 5]
    assert [x.tolist() for x, _ in drawn(figure, "bound")] == [[GRID[0]]]
    assert [x.tolist() for x, _ in drawn(figure, "unknown")] == [[GRID[2]]]
    assert [x.tolist() for x, _ in drawn(figure, "dot")] == [[GRID[1]]]
    assert legend_texts(figure) == ["upper bound", "theory is nan"]


def test_infinity_and_words_are_dots(table):
    shared = table.iloc[:3].assign(sample_complexity=[1.0, 2.0, 3.0], reachable=True)
    for values in ([1, 4, "inf"], ["erf", "relu", "tanh"]):
        figure = draw_complexity(shared.drop(columns="data.psi_D").assign(m=values), x="m")
        dots = np.concatenate([y for _, y in drawn(figure, "dot")])
        assert dots.tolist() == ([3.0] if "inf" in values else [1.0, 2.0, 3.0])


def test_nothing_reachable_is_still_a_figure(table):
    none = table.assign(sample_complexity=math.nan, reachable=False)
    figure = draw_complexity(none, x="data.psi_D", series="m")
    figure.draw_without_rendering()
    assert sum(x.size for x, _ in drawn(figure, "unreachable")) == len(none)
    assert len(figure.axes[0].get_yticks()) == 0


def test_an_unknown_axis_is_named(table):
    with pytest.raises(InputError, match="x: got 'psi_D'"):
        draw_complexity(table, x="psi_D")
