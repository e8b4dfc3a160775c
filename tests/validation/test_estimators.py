from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from simdiff.errors import InputError
from simdiff.validation import hypotheses, size_stats, trial_stats
from simdiff.validation.hypothesis import extrapolation_table


def frame(**columns):
    return pd.DataFrame({"trial": range(len(columns["d"])), "seed": 0, "status": "ok", **columns})


def test_moments_are_the_textbook_ones():
    stats = size_stats({200: [1.0, 3.0], 100: [2.0, 4.0, 9.0]})
    assert stats.sizes.tolist() == [100, 200]
    assert stats.means.tolist() == [5.0, 2.0]
    assert stats.variances.tolist() == [13.0, 2.0]
    assert stats.stderrs == pytest.approx([np.sqrt(13 / 3), 1.0])


def test_equal_values_have_exactly_no_variance():
    assert size_stats({100: [0.1] * 7}).variances.tolist() == [0.0]


def test_failed_trials_are_counted_and_in_no_mean():
    rows = frame(d=[100] * 4 + [200] * 2, x=[1.0, 3.0, 50.0, np.nan, 5.0, 7.0])
    rows.loc[2, "status"] = "non-finite"
    stats = trial_stats(rows, "x", [100, 200])
    assert stats.means.tolist() == [2.0, 6.0]
    assert stats.counts.tolist() == [2, 2]
    assert stats.bad.tolist() == [2, 0]
    assert stats.totals.tolist() == [4, 2]


def test_a_trial_stored_twice_counts_once():
    rows = frame(d=[100, 100], x=[1.0, 3.0])
    assert trial_stats(pd.concat([rows, rows]), "x", [100]).counts.tolist() == [2]


def test_no_rows_and_missing_columns():
    assert trial_stats(pd.DataFrame(), "x", [100, 200]).counts.tolist() == [0, 0]
    with pytest.raises(InputError, match="trials"):
        trial_stats(frame(d=[100], x=[1.0]), "y", [100])


def test_theory_is_subtracted_at_the_ratios_of_each_size():
    rows = frame(d=[100, 100, 200, 200], x=[1.0, 3.0, 5.0, 7.0])
    at = {100: {"x": 2.5}, 200: {"x": 6.5}}
    (item,) = hypotheses(rows, ["x"], [100, 200], theory={"x": 6.0}, theory_at=at)
    assert item.stats.means.tolist() == [-0.5, -0.5]
    assert item.reference == 6.0
    table = extrapolation_table([item])
    assert table["mean"].tolist() == [2.0, 6.0]
    assert table["theory"].tolist() == [2.5, 6.5]
    assert "time" not in table


def test_each_time_is_a_hypothesis_with_its_own_theory():
    rows = frame(d=[100] * 4, time=[0.1, 1.0, 0.1, 1.0], x=[1.0, 10.0, 3.0, 30.0])
    rows["trial"] = [0, 0, 1, 1]
    items = hypotheses(rows, ["x"], [100], theory={"x": [1.5, 19.0]}, times=(0.1, 1.0))
    assert [h.time for h in items] == [0.1, 1.0]
    assert [h.stats.means[0] for h in items] == [0.5, 1.0]
    assert extrapolation_table(items)["time"].tolist() == [0.1, 1.0]


def test_theories_that_leave_a_metric_out_or_are_not_finite_somewhere():
    rows = frame(d=[100, 200], x=[1.0, 3.0])
    (none,) = hypotheses(rows, ["x"], [100, 200], theory={"y": 1.0})
    assert none.theory is None
    at = {100: {"x": np.nan}, 200: {"x": 1.0}}
    (broken,) = hypotheses(rows, ["x"], [100, 200], theory={"x": 1.0}, theory_at=at)
    assert not broken.tested
    assert np.isnan(broken.theory)
    assert broken.stats.means.tolist() == [1.0, 3.0]


def test_a_theory_of_the_wrong_shape_is_refused():
    with pytest.raises(InputError, match="theory"):
        hypotheses(frame(d=[100], x=[1.0]), ["x"], [100], theory={"x": [1.0, 2.0]})
