"""Threads of one process share a run folder: each finds what it stored, and has frames of its own."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from store_rows import POINT, assert_whole, trial_rows

from simdiff.store import RunFolder, schema
from simdiff.store.recent import Recent

BATCHES = 12


def stored_and_read(run: RunFolder, point: str) -> list[set[int]]:
    """The trials that are read after each batch of a point, as a study does it."""
    found = []
    for first in range(0, 2 * BATCHES, 2):
        for d in (50, 100):
            run.append(trial_rows([first, first + 1], point=point, d=d))
            rows = run.trials(point, d, 0)
            assert_whole(rows)
            assert set(rows["trial"]) == run.finished(point, d, 0)
        found.append(set(rows["trial"]))
    return found


def test_threads_store_and_read_in_one_folder(tmp_path):
    run = RunFolder(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        points = ["aa", "bb", "cc", "cc"]  # two of them at the same point
        found = list(threads.map(lambda point: stored_and_read(run, point), points))
    wanted = [set(range(2 * i + 2)) for i in range(BATCHES)]
    assert found[:2] == [wanted, wanted]
    assert all(there >= least for one in found[2:] for there, least in zip(one, wanted, strict=True))
    assert all(earlier <= later for one in found for earlier, later in pairwise(one))
    assert_whole(run.trials())
    assert len(run.trials()) == 3 * 2 * 2 * BATCHES
    pd.testing.assert_frame_equal(run.trials(), RunFolder(tmp_path).trials())


def test_callers_cannot_change_what_others_read(tmp_path):
    run = RunFolder(tmp_path)
    run.append(trial_rows([0, 1]))
    for rows in (run.trials(POINT, 100, 0), run.trials(POINT, 100, 0)):
        rows.loc[0, "test"] = np.nan
        rows["status"] = "spoilt"
    assert_whole(run.trials(POINT, 100, 0))


def test_frames_are_made_again_when_their_source_changes_or_others_came_since():
    made = []

    def frame(question, source, recent):
        return recent.frame(
            question, source, lambda: made.append(question) or pd.DataFrame({"a": source * 2})
        )

    recent = Recent(most=4)
    for question, source in (("a", (1,)), ("a", (1,)), ("b", (1,)), ("a", (2,)), ("a", (2,)), ("c", (1,))):
        assert tuple(frame(question, source, recent)["a"]) == source * 2
    assert made == ["a", "b", "a", "c"]
    frame("a", (2,), recent)
    assert made == ["a", "b", "a", "c"]
    frame("b", (1,), recent)
    assert made == ["a", "b", "a", "c", "b"]


@pytest.mark.parametrize("seed", range(20))
def test_order_and_duplicates_are_those_of_pandas(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 60))
    pick = {"d": [50, 100], "seed": [-1, 0], "trial": [0, 1, 11], "time": [0.5, np.nan, -0.0, 0.0, np.inf]}
    keys = pd.DataFrame({name: rng.choice(values, count) for name, values in pick.items()})
    keys.insert(0, "point", rng.choice(["b", "ab", "B"], count).astype(object))
    whole = trial_rows(range(count), metrics=("mark",)).assign(**keys, mark=np.arange(count))
    cuts = sorted(rng.integers(0, count + 1, 2))
    parts = [whole.iloc[a:b] for a, b in pairwise([0, *cuts, count])]
    found = schema.union([schema.conform(schema.to_table(part)) for part in parts])
    first = keys.drop_duplicates().sort_values(["point", "d", "seed", "trial", "time"], kind="stable")
    assert found["mark"].tolist() == first.index.tolist()
    pd.testing.assert_frame_equal(found[[*keys]], first.reset_index(drop=True), check_dtype=False)


def test_a_row_without_a_point_comes_last():
    rows = schema.to_table(trial_rows([0, 1]))
    nameless = rows.set_column(0, "point", pa.array([None, POINT], pa.string()))
    found = schema.union([schema.conform(nameless)])
    assert found["trial"].tolist() == [1, 0]
    assert found["point"].isna().tolist() == [False, True]
