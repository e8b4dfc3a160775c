from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import result_tables as fake
from matplotlib.colors import LogNorm
from test_curves import tagged

from simdiff.errors import InputError
from simdiff.report.plots import style
from simdiff.report.plots.maps import draw_maps


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return fake.grid(side=9)


def panels(figure):
    return [ax for ax in figure.axes if ax.collections and ax.get_label() != "<colorbar>"]


def test_a_column_a_metric_and_a_row_a_series(grid, tmp_path):
    figure = draw_maps(grid, contours=3, guides={"$p = n$": lambda x: x})
    axes = panels(figure)
    assert len(axes) == 4
    assert len(figure.axes) == 6
    assert [ax.get_title() for ax in axes[:2]] == ["test", "memorization"]
    assert axes[0].get_ylabel() == "$m$ = 1\n" + r"$\psi_p = p/d$"
    assert axes[2].get_xlabel() == r"$\psi_n = n/d$"
    assert (axes[0].get_xscale(), axes[0].get_yscale()) == ("log", "log")
    assert all(len(tagged(ax, "guide")) == 1 for ax in axes)
    assert all(path.exists() for path in style.save(figure, tmp_path / "maps"))


def test_cells_hold_the_values_at_their_places(grid):
    one = grid[(grid.m == 1) & (grid.metric == "test")]
    mesh = panels(draw_maps(one.sample(frac=1, random_state=3)))[0].collections[0]
    expected = one.pivot(index="model.psi_p", columns="psi_n", values="theory").to_numpy()
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(9, 9), expected)
    corners = mesh.get_coordinates()[0, :, 0]
    assert np.all(corners[:-1] < np.sort(one.psi_n.unique()))
    assert np.all(np.sort(one.psi_n.unique()) < corners[1:])


def test_rows_share_the_colours_of_their_metric(grid):
    top, _, bottom, _ = panels(draw_maps(grid))
    norms = [ax.collections[0].norm for ax in (top, bottom)]
    values = grid.theory[grid.metric == "test"]
    assert norms[0] is norms[1]
    assert (norms[0].vmin, norms[0].vmax) == pytest.approx((values.min(), values.max()))
    assert isinstance(norms[0], LogNorm)


def test_holes_stay_empty(grid):
    ragged = grid[(grid.m == 1) & (grid.metric == "test")].reset_index(drop=True).drop(index=5)
    ragged.loc[[0, 1, 2], "theory"] = math.nan
    figure = draw_maps(ragged, contours=2)
    mesh = panels(figure)[0].collections[0]
    assert np.ma.count_masked(mesh.get_array()) == 4
    figure.draw_without_rendering()
    draw_maps(ragged.assign(theory=math.nan), contours=2)


def test_simulated_points_lie_on_top_and_disagreement_is_ringed(grid):
    points = fake.summary(psi_p=(0.3, 1.0, 3.0, 10.0, 30.0), ms=(1,), metrics=("test", "memorization"))
    ax = panels(draw_maps(grid[grid.m == 1], points=points))[0]
    discs = {c.get_gid(): c for c in ax.collections if c.get_gid()}
    assert (len(discs["points"].get_offsets()), len(discs["disagree"].get_offsets())) == (4, 1)
    assert discs["points"].norm is ax.collections[0].norm


def test_unknown_axis_is_named(grid):
    with pytest.raises(InputError, match="y: got 'psi_p'"):
        draw_maps(grid, y="psi_p")
