"""Killed writers and writers side by side leave whole files only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from store_rows import assert_whole

from simdiff.store import RunFolder

WRITER = Path(__file__).with_name("store_writer.py")
TIMES = (0.5, 1.0, 2.0)
KILLS = 12


def run_writers(job: str, folder: Path, numbers: Sequence[int]) -> list[int]:
    command = [sys.executable, str(WRITER), job, str(folder)]
    writers = [subprocess.Popen([*command, str(number)]) for number in numbers]
    try:
        return [writer.wait(timeout=120) for writer in writers]
    finally:
        for writer in writers:
            writer.kill()


def configs(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.glob("config*.yaml") if path.stat().st_size)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_writers_leave_whole_files_and_lose_nothing(tmp_path: Path) -> None:
    assert run_writers("loop", tmp_path, [KILLS]) == [0]
    run = RunFolder(tmp_path, create=False)
    rows = run.trials()
    assert_whole(rows, TIMES)
    assert len(rows) == sum(pq.read_metadata(p).num_rows for p in (tmp_path / "trials").glob("*/d*.parquet"))
    finished = sorted(run.finished(rows["point"][0], 100, 0))
    assert finished == list(range(len(finished)))
    assert len(finished) >= 2 * KILLS
    assert run.read_table("summary")["trial"].iloc[-1] in finished
    assert len(set(configs(tmp_path))) == len(configs(tmp_path))
    assert len(configs(tmp_path)) >= len(finished) // 2 - KILLS


def test_two_processes_in_one_folder_do_no_harm(tmp_path: Path) -> None:
    assert run_writers("once", tmp_path, [0, 1]) == [0, 0]
    run = RunFolder(tmp_path)
    rows = run.trials()
    assert_whole(rows, TIMES)
    assert sorted(set(rows["trial"])) == list(range(41))
    assert len(list((tmp_path / "trials").glob("*/*.parquet"))) == 20
    assert (tmp_path / "report.md").read_text() in ("0" * 1000, "1" * 1000)
    csv = pd.read_csv(tmp_path / "summary.csv", float_precision="round_trip")
    for name in ("test", "trial"):
        assert run.read_table("summary")[name].tolist() == csv[name].tolist()
    expected = [f"process: {n}\nstart: {s}\n" for n in (0, 1) for s in range(0, 40, 4)]
    assert configs(tmp_path) == sorted(expected)
    assert sorted(rule["rule"]["process"] for rule in run.rules()) == [0, 1]
    assert not list(tmp_path.rglob(".tmp-*"))
