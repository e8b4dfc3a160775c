"""A finished run has each row once on disk, whatever wrote to it; at no moment does a reader miss one."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from store_rows import POINT, assert_whole, trial_rows

from simdiff.store import RunFolder, compaction, shards


def stored(folder):
    """The rows as a colleague reads them, with pandas."""
    frames = [pd.read_parquet(path) for path in sorted((Path(folder) / "trials").rglob("*.parquet"))]
    return pd.concat(frames, ignore_index=True)


KEY = ["point", "d", "seed", "trial"]


@pytest.mark.parametrize("times", [None, (0.5, 1.0)])
def test_rows_that_two_writers_stored_are_left_once(tmp_path, times):
    run = RunFolder(tmp_path)
    for first, device in ((0, "cpu:0"), (2, "cpu:1"), (1, "cpu:2")):
        for seed in (0, 1):
            part = trial_rows(range(first, first + 4), times=times, seed=seed)
            run.append(part.assign(device=device))
    run.append(trial_rows([0, 1], d=200, times=times))
    before = run.trials()
    assert len(stored(tmp_path)) > len(before)
    assert run.compact() == 2 * 6 * len(times or [0])
    rows = stored(tmp_path)
    assert not rows.duplicated([*KEY, *(["time"] if times else [])]).any()
    assert len(rows) == len(before)
    for reader in (run, RunFolder(tmp_path)):
        pd.testing.assert_frame_equal(reader.trials(), before)
        assert reader.finished(POINT, 100, 1) == set(range(6))
    assert_whole(run.trials(), times)
    assert run.compact() == 0


def test_nothing_is_touched_where_nothing_is_twice(tmp_path):
    run = RunFolder(tmp_path)
    files = {
        path: path.stat().st_mtime_ns
        for part in ([0, 1], [3, 5], [2])
        for path in run.append(trial_rows(part))
    }
    assert run.compact() == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_shards_of_different_metrics_and_columns_stay_as_they_are(tmp_path):
    run = RunFolder(tmp_path)
    run.append(trial_rows([0, 1, 2]).assign(settings="{}"))
    run.append(trial_rows([2, 3], metrics=("test", "train")))
    before = run.trials()
    assert run.compact() == 1
    pd.testing.assert_frame_equal(run.trials(), before)
    assert len(stored(tmp_path)) == 4


def test_a_crash_on_the_way_leaves_every_row(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.append(trial_rows([0, 1, 2]))
    run.append(trial_rows([2, 3]).assign(device="cpu:9"))
    before = run.trials()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.compact()
    assert run.trials()[KEY].equals(before[KEY])
    run.compact()
    assert run.trials()[KEY].equals(before[KEY])
    assert not stored(tmp_path).duplicated(KEY).any()


def test_readers_miss_no_row_while_others_write_and_compact(tmp_path):
    run = RunFolder(tmp_path)
    run.append(trial_rows(range(8)))
    script = (
        "import sys; from simdiff.store import RunFolder; from store_rows import trial_rows\n"
        "run = RunFolder(sys.argv[1])\n"
        "for i in range(10):\n"
        "    run.append(trial_rows(range(i % 8, 8 + i)).assign(device=sys.argv[2] + str(i))); run.compact()\n"
    )
    paths = {"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"}
    command = [sys.executable, "-c", script, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], env=os.environ | paths) for name in "ab"]
    found = []
    while any(writer.poll() is None for writer in writers):
        rows = RunFolder(tmp_path).trials()
        found.append(set(rows["trial"]))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert all(earlier <= later for earlier, later in itertools.pairwise(found))
    run.compact()
    assert_whole(run.trials())
    assert sorted(stored(tmp_path)["trial"]) == list(range(17))


def test_a_file_that_is_replaced_while_files_are_listed_loses_no_row(tmp_path, monkeypatch):
    """A list is not of one moment: an old file has gone when its turn comes, a new one came too late."""
    run, plain, lists = RunFolder(tmp_path), shards.list_shards, []
    run.append(trial_rows([0, 1]))
    run.append(trial_rows([2, 3]))

    def torn(*given):
        lists.append(plain(*given))
        return lists[-1][1:] if len(lists) == 1 else lists[-1]

    monkeypatch.setattr(shards, "list_shards", torn)
    assert run.trials()["trial"].tolist() == [0, 1, 2, 3]


def test_without_a_lock_nothing_is_taken_out(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.append(trial_rows([0, 1]))
    run.append(trial_rows([1, 2]))
    monkeypatch.setattr(compaction, "fcntl", None)
    assert run.compact() == 0
    assert len(stored(tmp_path)) == 4
    assert run.trials()["trial"].tolist() == [0, 1, 2]
