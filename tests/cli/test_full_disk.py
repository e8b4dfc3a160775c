"""A disk that fills up, or goes, in the middle of a run: one line, status 2, what was stored is kept."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from simdiff.cli import main as cli
from simdiff.store import RunFolder

HERE = Path(__file__).parent.parent
WORDS = [
    *("run", "-m", "problem=own_problem:Mean", "theory=own_problem:mean_theory", "level=1,2"),
    *("sizes=[20,40]", "precision=0.05", "figure.kind=none", "out=full"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(HERE / "toy_problems.py", tmp_path / "own_problem.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Disk:
    """`os.fsync` on a disk with room for some more files."""

    def __init__(self, room: int, reason: int) -> None:
        self.room, self.reason, self._sync = room, reason, os.fsync

    def __call__(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_size and not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            self.room -= 1
        if self.room < 0:
            raise OSError(self.reason, os.strerror(self.reason))
        self._sync(descriptor)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_the_run_ends_with_one_line_and_goes_on_where_it_was(here, reason, monkeypatch, capsys):
    monkeypatch.setattr(os, "fsync", Disk(7, reason))  # four small files, three batches
    assert cli.main(WORDS) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("simdiff: ")]
    assert len(said) == 1
    assert os.strerror(reason) in said[0]
    assert "run folder: got 'full/trials/" in said[0]
    kept = RunFolder(here / "full", create=False).trials()
    assert kept["trial"].size == 8 + 4 + 8  # a pilot of 12, in batches of 8
    assert not list((here / "full").rglob(".tmp-*"))
    monkeypatch.undo()
    os.chdir(here)
    assert cli.main(WORDS) == 0
    both = RunFolder(here / "full", create=False).trials().merge(kept, how="inner")
    assert len(both) == len(kept)
    assert set(pd.read_csv("full/summary.csv")["verdict"]) == {"agree"}
