"""The store keeps every float and every text, once, in whatever order and parts rows arrive."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from store_rows import POINT, trial_rows

from simdiff.store import RunFolder

fixed = settings(derandomize=True, max_examples=25, deadline=None)
floats = st.floats(width=64, allow_nan=True, allow_infinity=True, allow_subnormal=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@fixed
@given(st.lists(floats, min_size=1, max_size=8), texts, texts)
def test_every_float_and_text_comes_back(values, status, device):
    frame = trial_rows(range(len(values)))
    frame["test"], frame["status"], frame["device"] = values, status, device
    with tempfile.TemporaryDirectory() as folder:
        RunFolder(folder).append(frame)
        back = RunFolder(folder).trials()
    assert back["test"].to_numpy().tobytes() == np.asarray(values, float).tobytes() or np.isnan(values).any()
    np.testing.assert_array_equal(back["test"], np.asarray(values, float))
    assert set(back["status"]) == {status}
    assert set(back["device"]) == {device}


@fixed
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True), min_size=1, max_size=6))
def test_rows_are_kept_once_in_whatever_parts_they_come(parts):
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            RunFolder(folder).append(trial_rows(part))
        back = RunFolder(folder).trials()
        finished = RunFolder(folder).finished(POINT, 100, 0)
    every = sorted({trial for part in parts for trial in part})
    assert back["trial"].tolist() == every
    assert finished == set(every)
    whole = trial_rows(every)
    pd.testing.assert_series_equal(back["test"], whole["test"], check_exact=True)
