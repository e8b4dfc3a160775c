from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from simdiff.errors import InputError
from simdiff.report.plots import columns


@pytest.fixture
def table() -> pd.DataFrame:
    rows = {
        "point": list("aabbcc"),
        "metric": ["test", "train"] * 3,
        "m": [1, 1, "inf", "inf", math.inf, math.inf],
        "t": [0.1] * 6,
        "model": ["a"] * 6,
        "trainer.ridge": [1.0, 1.0, 1.0, 1.0, math.nan, math.nan],
        "note": list("uvwxyz"),
        "theory": [2.0, 0.0, 1.0, math.nan, 1.0, 1.0],
        "estimate": [2.2, 1.0, 1.0, 1.0, math.nan, 1.0],
        "stderr": [0.1, 0.1, 0.0, 0.1, 0.1, math.nan],
    }
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("inf", math.inf), (np.int64(3), 3.0), (True, "yes"), ("tanh", "tanh"), (math.nan, None), (pd.NA, None)],
)
def test_plain(cell, expected):
    assert columns.plain(cell) == expected


def test_varying_parameters_are_constant_within_a_point(table):
    assert columns.varying(table) == ["m", "trainer.ridge"]
    assert columns.fixed(table) == {"t": 0.1, "model": "a"}
    assert columns.values(table, "m") == [1.0, math.inf]


def test_pulls_and_deviations_are_nan_where_undefined(table):
    np.testing.assert_allclose(columns.pulls(table), [2, 10, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(columns.deviations(table), [0.1, np.nan, 0, np.nan, np.nan, 0], atol=1e-15)


def test_groups_and_matching(table):
    keys = columns.groups(table, ["m"])
    assert keys == [{"m": 1.0}, {"m": math.inf}]
    assert [len(columns.matching(table, k)) for k in keys] == [2, 4]
    assert len(columns.matching(table, {"no such column": 1})) == len(table)


def test_at_time_takes_each_points_last_or_nearest_time():
    table = pd.DataFrame({"point": list("aaabbc"), "time": [1.0, 2, 3, 1, 10, math.nan]})
    assert columns.at_time(table)["time"].tolist()[:2] == [3.0, 10.0]
    assert columns.at_time(table, 1.2)["time"].tolist()[:2] == [1.0, 1.0]
    assert columns.at_time(table)["point"].tolist() == ["a", "b", "c"]


def test_main_axis_has_most_values():
    table = pd.DataFrame({"point": list("abcd"), "psi_n": [1, 2, 1, 2], "model.psi_p": [1, 2, 3, 4]})
    assert columns.main_axis(table) == "model.psi_p"
    assert columns.main_axis(table.head(1)) is None


def test_unknown_columns_and_metrics_are_named(table):
    with pytest.raises(InputError, match=r"x: got 'psi'; allowed: m, trainer.ridge"):
        columns.need_column(table, "x", "psi")
    with pytest.raises(InputError, match="did you mean 'test'"):
        columns.need_metrics(table, ["tests"])
