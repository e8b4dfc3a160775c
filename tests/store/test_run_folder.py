"""The run folder: refused when unusable, never overwriting, and its tables, texts and rules."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from store_rows import POINT, trial_rows

from simdiff.errors import InputError
from simdiff.store import RunFolder, files, replacing


def test_a_path_under_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for path in (file, file / "run", file / "deep" / "run"):
        with pytest.raises(InputError, match="run folder") as error:
            RunFolder(path)
        assert "notes.txt is a file" in str(error.value)
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_or_written_is_refused(tmp_path: Path) -> None:
    for path in ("/proc/simdiff-run", "/dev/null/run", str(tmp_path / ("x" * 300)), "nul\0byte"):
        with pytest.raises(InputError, match="can be created and written"):
            RunFolder(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_write_protected_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        RunFolder(tmp_path)
    tmp_path.chmod(0o700)


def test_a_failing_write_is_refused_up_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(files, "probe", full)
    with pytest.raises(InputError, match="No space left on device"):
        RunFolder(tmp_path)


def test_a_trials_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("mine")
    with pytest.raises(InputError, match="trials is a file"):
        RunFolder(tmp_path)


def test_opening_needs_a_run_and_writes_nothing(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="the folder of a run"):
            RunFolder(path, create=False)
    assert not list(tmp_path.iterdir())
    RunFolder(tmp_path).append(trial_rows([0]))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert len(RunFolder(tmp_path, create=False).trials()) == 1
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_files_from_before_the_first_run_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    mine = [tmp_path / "table.csv", tmp_path / "notes.md", tmp_path / "figures" / "curve.png"]
    for path in mine:
        path.write_text("mine")
    for run in (RunFolder(tmp_path), RunFolder(tmp_path), RunFolder(tmp_path, create=False)):
        for write in (
            lambda run: run.write_table("table", pd.DataFrame({"a": [1]})),
            lambda run: run.write_text("notes.md", "ours"),
            lambda run: run.write_figure_path("curve.png"),
        ):
            with pytest.raises(InputError, match="before the first run"):
                write(run)
        run.write_text("report.md", "ours")
    assert {path.read_text() for path in mine} == {"mine"}
    assert run.write_figure_path("other.png") == tmp_path / "figures" / "other.png"


def test_a_folder_with_a_foreign_report_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("mine")
    for _ in range(2):
        with pytest.raises(InputError, match=r"report\.md"):
            RunFolder(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    (tmp_path / "report.md").unlink()
    RunFolder(tmp_path).write_text("report.md", "ours")
    RunFolder(tmp_path).write_text("report.md", "ours again")
    assert (tmp_path / "report.md").read_text() == "ours again"


@pytest.mark.parametrize("name", ["trials", "rules", "figures"])
def test_a_file_in_the_place_of_a_folder_is_named_and_nothing_made(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} is a file"):
        RunFolder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"foreign": []}'])
def test_a_damaged_marker_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "simdiff.json").write_text(text)
    with pytest.raises(InputError, match=r"simdiff\.json"):
        RunFolder(tmp_path)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "/etc/x", ".hidden", "new\nline"])
def test_names_of_results_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    run = RunFolder(tmp_path / "run")
    frame = pd.DataFrame({"a": [1]})
    for write in (run.write_figure_path, run.read_table, lambda n: run.write_text(n, "")):
        with pytest.raises(InputError, match="name of a result"):
            write(name)
    with pytest.raises(InputError, match="name of a result"):
        run.write_table(name and f"{name}.", frame) if name else run.write_text(name, "")


def test_tables_come_back_from_parquet_and_csv_alike(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    frame = pd.DataFrame(
        {
            "point": ["a", "b", "c"],
            "m": [1, "inf", 4],
            "infinite": ["inf", "inf", None],
            "sizes": ["100", "100+200", "50"],
            "spectrum": [None, "list", 3],
            "agree": [True, None, False],
            "estimate": [1 / 3, math.nan, -math.inf],
            "trials": [1, 2, 3],
        }
    )
    csv, parquet = run.write_table("summary", frame)
    table = run.read_table("summary")
    assert list(table) == list(frame)
    assert table["m"].tolist() == [1.0, math.inf, 4.0]
    assert table["infinite"].dtype == np.float64
    assert table["sizes"].tolist() == frame["sizes"].tolist()
    assert table["spectrum"].tolist()[1:] == ["list", "3"]
    assert table["agree"].tolist() == [True, None, False]
    assert table["estimate"].equals(frame["estimate"])
    parquet.unlink()
    again = run.read_table("summary")
    assert again["agree"].isna().tolist() == [False, True, False]
    same = ["point", "m", "infinite", "sizes", "estimate", "trials"]
    pd.testing.assert_frame_equal(again[same], table[same], check_dtype=False)
    csv.unlink()
    with pytest.raises(InputError, match="results table"):
        run.read_table("summary")


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    _, parquet = run.write_table("summary", pd.DataFrame({"a": range(100)}))
    parquet.write_bytes(parquet.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"summary\.parquet"):
        run.read_table("summary")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert temporary.suffix == ".png"

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]
    assert path.read_text() == "old"


def test_configurations_are_never_lost(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for text in ("a", "a", "b", "a", "c", "b"):
        assert run.save_config(text).read_text() == text
    kept = {p.name: p.read_text() for p in tmp_path.glob("config*")}
    assert kept["config.yaml"] == "b"
    assert sorted(kept) == ["config-1.yaml", "config-2.yaml", "config-3.yaml", "config.yaml"]
    assert [kept[f"config-{i}.yaml"] for i in (1, 2, 3)] == ["a", "b", "c"]


def test_without_hard_links_files_are_created_once_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    assert files.create_text(tmp_path / "a", "first")
    assert not files.create_text(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_rules_are_recorded_once_with_their_points_and_date(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    rule = {"alpha": np.float64(0.05), "budget": math.inf, "sizes": (100, 200)}
    name = run.save_rule(rule, ["b", "a"])
    (record,) = run.rules()
    assert record["hash"] == name
    assert record["points"] == ["a", "b"]
    assert record["rule"] == {"alpha": 0.05, "budget": "inf", "sizes": [100, 200]}
    assert len(record["date"]) == len("2025-01-01T00:00:00+00:00")
    (file,) = (tmp_path / "rules").iterdir()
    before = file.read_bytes()
    assert run.save_rule({"sizes": [100, 200], **rule}, ["a"]) == name
    assert run.save_rule(rule, ["a", "c"]) == name
    assert [r["points"] for r in run.rules() if r["hash"] == name and r["points"] != ["c"]] == [["a", "b"]]
    assert run.save_rule({**rule, "alpha": 0.01}, ["a"]) != name
    assert sorted(point for r in run.rules() for point in r["points"]) == ["a", "a", "b", "c"]
    assert file.read_bytes() == before
    assert json.loads(before)["hash"] == name


def test_a_rule_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="acceptance rule"):
        RunFolder(tmp_path).save_rule({"test": print}, [POINT])


def test_a_damaged_rule_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_rule({"alpha": 0.05}, [POINT])
    (file,) = (tmp_path / "rules").iterdir()
    file.write_text(file.read_text()[:20])
    with pytest.raises(InputError, match=file.name):
        run.rules()
