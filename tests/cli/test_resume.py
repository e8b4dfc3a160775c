"""Killed at any moment and started again, or run twice at once, a sweep ends with the same tables."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from simdiff.store import RunFolder

HERE = Path(__file__).parent.parent
WORDS = [
    *("run", "-m", "problem=own_problem:Mean", "theory=own_problem:mean_theory", "level=1,2"),
    *("sizes=[20,40]", "precision=0.03", "figure.kind=none"),
]
# An undisturbed process does some 250 operations on files, the first 30 before its first trial: these die
# before they can have finished, for together they do fewer than are needed.
FUSES = [46, 12, 60]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Processes one after another."""
    return after("alone", tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Several processes at once."""
    return after("crowd", tmp_path_factory.mktemp("crowd"))


def after(part, here):
    """(folder, what happened) after the runs of this part of `resume_driver`."""
    shutil.copy(HERE / "toy_problems.py", here / "own_problem.py")
    command = [sys.executable, str(HERE / "resume_driver.py"), part, json.dumps(FUSES), *WORDS]
    driver = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=300)
    assert driver.returncode == 0, driver.stderr + (here / "log.txt").read_text()
    return here, json.loads(driver.stdout)


def rows(folder):
    """Stored trials without what differs from run to run."""
    return RunFolder(folder, create=False).trials().drop(columns=["duration"])


def stored(folder):
    """How many rows all files hold together."""
    return sum(len(pd.read_parquet(path)) for path in folder.glob("trials/*/d*.parquet"))


def same_tables(one, other):
    names = [f"{table}.{kind}" for table in ("summary", "finite_sizes") for kind in ("csv", "parquet")]
    return [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()] == []


def test_processes_were_killed_and_the_last_one_finished(done):
    here, happened = done
    files = [death["files"] for death in happened["killed"]]
    whole = len(list((here / "whole").glob("trials/*/d*.parquet")))
    assert [death["status"] for death in happened["killed"]] == [-9] * len(FUSES)
    assert 0 < files[0] == files[1] < files[2] < whole
    assert happened["whole"] == happened["finished"] == 0


def test_the_tables_are_those_of_an_uninterrupted_run(done):
    here, _ = done
    assert same_tables(here / "killed", here / "whole")
    assert len(pd.read_csv(here / "whole" / "summary.csv")) == 4


def test_no_trial_is_lost_or_run_twice(done):
    here, _ = done
    pd.testing.assert_frame_equal(rows(here / "killed"), rows(here / "whole"))
    assert stored(here / "killed") == len(rows(here / "killed"))


@pytest.mark.heavy
def test_two_processes_in_one_folder_end_with_the_same_tables(crowd):
    here, happened = crowd
    assert happened["shared"] == [0, 0], (here / "log.txt").read_text()
    assert same_tables(here / "shared", here / "whole")
    pd.testing.assert_frame_equal(rows(here / "shared"), rows(here / "whole"))


@pytest.mark.heavy
def test_four_processes_killed_at_random_in_one_folder_lose_and_damage_nothing(crowd):
    here, happened = crowd
    assert happened["storm"]["killed"] >= 4, happened
    assert (happened["storm"]["failed"], happened["storm"]["last"]) == (0, 0), (here / "log.txt").read_text()
    assert same_tables(here / "storm", here / "whole")
    pd.testing.assert_frame_equal(rows(here / "storm"), rows(here / "whole"))


def test_a_table_off_by_rounding_would_be_told_apart(done):
    here, _ = done
    other = pd.read_csv(here / "whole" / "summary.csv")
    other["estimate"] += 1e-12
    shutil.copytree(here / "whole", here / "changed")
    other.to_csv(here / "changed" / "summary.csv", index=False)
    assert not same_tables(here / "changed", here / "whole")
