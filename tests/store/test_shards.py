"""Shards: what goes in comes out, once; damage is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from store_rows import POINT, assert_whole, trial_rows

from simdiff.errors import InputError
from simdiff.store import RunFolder, columns, metric_columns, shards


def test_rows_come_back_bit_for_bit(tmp_path: Path) -> None:
    frame = trial_rows([3, 4, 5], times=(0.1, 0.2))
    frame["train"] = [np.inf, -np.inf, np.nan, 5e-324, np.pi, -0.0]
    frame.loc[0, "status"] = "non-finite"
    RunFolder(tmp_path).append(frame)
    back = RunFolder(tmp_path).trials()
    pd.testing.assert_frame_equal(back[frame.columns], frame, check_exact=True, check_dtype=False)
    assert np.signbit(back["train"].iloc[-1])
    assert list(back)[:7] == list(columns.HEAD)
    assert metric_columns(back) == ["test", "train"]


def test_a_file_per_point_size_and_seed_with_a_telling_name(tmp_path: Path) -> None:
    frames = [
        trial_rows([7, 9]),
        trial_rows([1], d=50),
        trial_rows([1], seed=-2),
        trial_rows([2], point="ff"),
    ]
    paths = RunFolder(tmp_path).append(pd.concat(frames))
    names = [f"{p.parent.name}/{p.name[:-17]}" for p in paths]
    assert sorted(names) == sorted(
        [f"{POINT}/d100-s0-7-9", f"{POINT}/d50-s0-1-1", f"{POINT}/d100-s-2-1-1", "ff/d100-s0-2-2"]
    )
    assert all(len(p.stem.rsplit("-", 1)[1]) == 8 for p in paths)


def test_selection_and_finished_trials(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    bad = trial_rows([9])
    bad["status"] = "non-finite"
    for frame in (trial_rows([0, 1]), bad, trial_rows([0], d=50), trial_rows([5], seed=1)):
        run.append(frame)
    run.append(trial_rows([4], point="ff"))
    assert run.finished(POINT, 100, 0) == {0, 1, 9}
    assert run.finished(POINT, 100, 7) == run.finished("absent", 100, 0) == set()
    assert len(run.trials()) == 6
    assert run.trials(d=100, seed=0)["trial"].tolist() == [0, 1, 9, 4]
    assert run.trials("ff")["trial"].tolist() == [4]
    assert run.points() == [POINT, "ff"]


def test_a_renamed_shard_is_judged_by_its_rows(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (path,) = run.append(trial_rows([0, 1]))
    path.rename(path.with_name("merged.parquet"))
    assert run.finished(POINT, 100, 0) == {0, 1}
    assert run.finished(POINT, 50, 0) == set()
    assert run.trials(d=50).empty


def test_rows_do_not_depend_on_how_trials_were_split(tmp_path: Path) -> None:
    one, many = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "many")
    one.append(trial_rows(range(12), times=(1.0, 10.0, 2.0)))
    for trials in ([11], [2, 3, 4], [10], [0, 1], [5, 9], [6, 7, 8]):
        many.append(trial_rows(trials, times=(1.0, 10.0, 2.0)))
    pd.testing.assert_frame_equal(one.trials(), many.trials(), check_exact=True)


@pytest.mark.parametrize("times", [None, (0.5, 1.0)])
def test_of_duplicates_the_first_file_by_name_wins(tmp_path: Path, times: tuple[float, ...] | None) -> None:
    run = RunFolder(tmp_path)
    paths = []
    for mark in (1.0, 2.0, 3.0):
        frame = trial_rows([0, 1], times=times)
        frame["test"] = mark
        paths += run.append(frame)
    first = paths.index(min(paths)) + 1.0
    assert run.trials()["test"].tolist() == [first] * 2 * len(times or (0,))
    min(paths).unlink()
    assert set(run.trials()["test"]) == {paths.index(sorted(paths)[1]) + 1.0}


def test_different_metrics_are_joined_by_name(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.append(trial_rows([0], point="aa", metrics=("test", "train")))
    run.append(trial_rows([0], point="bb", metrics=("risk", "test"), times=(0.5,)))
    rows = run.trials()
    assert metric_columns(rows) == ["test", "train", "risk"]
    assert rows[["train", "risk", "time"]].notna().to_numpy().tolist() == [
        [True, False, False],
        [False, True, True],
    ]
    assert rows["test"].notna().all()


def test_an_empty_folder_gives_an_empty_typed_frame(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.append(trial_rows([])) == []
    rows = run.trials()
    assert list(rows) == list(columns.REQUIRED)
    assert len(rows) == 0
    assert rows["trial"].dtype == np.int64
    assert run.trials(POINT, 100, 0).empty


def test_leftover_temporary_files_are_ignored(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (path,) = run.append(trial_rows([0]))
    path.with_name(".tmp-0badcafe-" + path.name).write_bytes(b"PAR1 half")
    assert run.finished(POINT, 100, 0) == {0}
    assert len(run.trials()) == 1


def test_truncation_anywhere_is_reported_with_file_and_remedy(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (path,) = run.append(trial_rows(range(4)))
    other = run.append(trial_rows([8]))[0]
    whole = path.read_bytes()
    for length in (0, 3, 4, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="truncated or damaged") as error:
            run.trials()
        assert str(path) in str(error.value)
        assert "delete that file; its trials will be recomputed" in str(error.value)
        with pytest.raises(InputError):
            run.finished(POINT, 100, 0)
        assert path.read_bytes() == whole[:length]
    path.unlink()
    assert run.finished(POINT, 100, 0) == {8}
    assert other.exists()


def test_changed_bytes_never_pass_as_data(tmp_path: Path) -> None:
    (path,) = RunFolder(tmp_path).append(trial_rows(range(8), times=(0.5, 1.0)))
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 100):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(InputError, match="truncated or damaged"):
            shards.read_shard(path)
    path.write_bytes(whole)
    assert len(shards.read_shard(path)) == 16


def test_the_same_rows_written_twice_are_one_file(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.append(trial_rows([0, 1])) == run.append(trial_rows([0, 1]))
    assert len(run.trials()) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="seed"), "missing: seed"),
        (lambda rows: rows.drop(columns="status"), "no column 'status'"),
        (lambda rows: rows.assign(test="high"), "high"),
    ],
)
def test_other_parquet_files_are_not_taken_for_trials(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    run = RunFolder(tmp_path)
    (path,) = run.append(trial_rows([0]))
    change(trial_rows([1])).to_parquet(path.with_name("merged.parquet"))
    with pytest.raises(InputError, match=message) as error:
        run.trials()
    assert "merged.parquet" in str(error.value)
    trial_rows([1]).to_parquet(path.with_name("merged.parquet"))
    assert run.trials()["trial"].tolist() == [0, 1]


def test_unchanged_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, reads, read = RunFolder(tmp_path), [], shards.read_shard
    monkeypatch.setattr(shards, "read_shard", lambda path: reads.append(path) or read(path))
    paths = [run.append(trial_rows([trial]))[0] for trial in range(3)]
    for _ in range(2):
        run.trials()
        run.finished(POINT, 100, 0)
    assert sorted(reads) == sorted(paths)
    os.utime(paths[0], ns=(1, 1))
    paths[1].unlink()
    assert len(run.trials()) == 2
    assert reads[3:] == [paths[0]]


def test_a_file_that_vanishes_while_reading_is_left_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    gone = run.append(trial_rows([0]))[0]
    run.append(trial_rows([1]))
    listed = shards.list_shards(gone.parent)
    gone.unlink()
    assert [table["trial"].to_pylist() for table in shards.ShardCache().tables(listed)] == [[1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": None}, "column 'status'"),
        ({"versions": [{"jax": "1"}]}, "column 'versions'"),
        ({"trial": 0.5}, "column 'trial'"),
        ({"trial": -1}, "column 'trial'"),
        ({"trial": True}, "column 'trial'"),
        ({"seed": 2**63}, "column 'seed'"),
        ({"d": 0}, "column 'd'"),
        ({"d": "100"}, "column 'd'"),
        ({"test": "0.5"}, "column 'test'"),
        ({"test": 1j}, "column 'test'"),
        ({"note": "hello"}, "column 'note'"),
        ({"point": "../up"}, "column 'point'"),
        ({3: 1.0}, "columns of trial rows"),
    ],
)
def test_rows_of_the_wrong_kind_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    frame = trial_rows([0])
    run = RunFolder(tmp_path)
    with pytest.raises(InputError, match=message):
        run.append(frame.assign(**change) if 3 not in change else frame.rename(columns={"test": 3}))
    assert not list((tmp_path / "trials").iterdir())


@pytest.mark.parametrize("name", columns.REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"missing: {name}"):
        RunFolder(tmp_path).append(trial_rows([0]).drop(columns=[name]))


def test_numbers_of_other_types_are_converted(tmp_path: Path) -> None:
    frame = trial_rows([0, 1]).astype({"d": float, "seed": np.uint32, "test": np.float32})
    frame["train"] = pd.Series([1, None], dtype=object)
    frame["seed"] += 2**31
    run = RunFolder(tmp_path)
    run.append(frame)
    rows = run.trials(d=100, seed=2**31)
    assert rows["test"].tolist() == frame["test"].tolist()
    assert rows["train"].iloc[0] == 1.0
    assert np.isnan(rows["train"].iloc[1])
    assert rows["seed"].dtype == rows["d"].dtype == np.int64


def test_checks_of_the_test_rows_reject_mixed_rows() -> None:
    frame = trial_rows([0, 1])
    assert_whole(frame)
    with pytest.raises(AssertionError):
        assert_whole(frame.assign(trial=[1, 0]))
    with pytest.raises(AssertionError):
        assert_whole(pd.concat([frame, frame]))
