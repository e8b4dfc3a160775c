"""Sweeps in other processes end with the tables of one process; only our own launchers are ever built."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import pytest

from simdiff.cli import cluster
from simdiff.cli import main as cli
from simdiff.cli.compose import make_plan
from simdiff.cli.launchers import launchers, make_launcher
from simdiff.errors import InputError
from simdiff.store import RunFolder

TOYS = Path(__file__).parents[2] / "toy_problems.py"
SWEEP = [
    *("problem=own_problem:Mean", "theory=own_problem:mean_theory", "level=1,2,3"),
    *("sizes=[20,40]", "precision=0.05", "figure.kind=none"),
]
TABLES = [f"{table}.{kind}" for table in ("summary", "finite_sizes") for kind in ("csv", "parquet")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(TOYS, tmp_path / "own_problem.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(kind: str, *words: str) -> dict:
    return dict(make_plan([f"launcher={kind}", *words], False, "simdiff").launcher)


@pytest.mark.parametrize("kind", [pytest.param("joblib", marks=pytest.mark.heavy), "local"])
def test_jobs_leave_the_tables_of_one_process(kind: str, here: Path) -> None:
    pytest.importorskip("submitit" if kind == "local" else kind, reason='pip install "simdiff[cluster]"')
    assert cli.main(["run", "-m", *SWEEP, "out=one"]) == 0
    words = ["run", "-m", *SWEEP, f"launcher={kind}", "launcher.jobs=2", "out=many"]
    assert cli.main(words) == 0
    assert [(here / "many" / t).read_bytes() for t in TABLES] == [
        (here / "one" / t).read_bytes() for t in TABLES
    ]
    one, many = (RunFolder(name, create=False).trials().drop(columns="duration") for name in ("one", "many"))
    assert many.equals(one)
    before = sorted((here / "many" / "trials").rglob("*"))
    assert cli.main(words) == 0  # nothing is left to do: no job is started
    assert sorted((here / "many" / "trials").rglob("*")) == before
    assert not list(here.rglob("*.pkl"))


def test_points_are_dealt_out_without_those_that_are_finished(here: Path) -> None:
    assert cli.main(["run", *SWEEP[:2], "level=2", *SWEEP[3:], "out=part"]) == 0
    plan = make_plan([*SWEEP, "out=part"], True, "simdiff")
    studies, folder = cluster.commands.prepare(plan)
    assert cluster.deal(studies, folder, 5) == [[0], [2]]
    assert cluster.deal(studies, folder, 1) == [[0, 2]]


def test_a_job_that_cannot_run_says_so_in_one_line(here: Path) -> None:
    words = ([*SWEEP, "devices=99", "out=none"], True, "simdiff")
    assert "devices: got 99" in cluster.work(words, [0])


def test_settings_and_their_defaults_are_those_of_the_classes() -> None:
    assert list(launchers()) == ["basic", "joblib", "local", "slurm"]
    for name, part in launchers().items():
        fields = {field.name for field in dataclasses.fields(part.factory)}
        assert settings(name).keys() == {"type"} | fields
        assert settings(name)["type"] == name
    assert settings("slurm") == SLURM


SLURM = {
    **{"type": "slurm", "jobs": 16, "array_parallelism": 256, "timeout_min": 240, "signal_delay_s": 120},
    **{"max_num_timeout": 3, "requeue": True, "cpus_per_task": 4, "additional_parameters": {}},
    **dict.fromkeys(
        ("partition", "account", "qos", "constraint", "mem_gb", "gpus_per_node", "gres", "setup")
    ),
}
"""What stored configurations of runs have."""


def test_a_worker_that_is_killed_is_one_line(tmp_path: Path) -> None:
    launcher = make_launcher(settings("joblib"))
    (said,) = launcher.launch(os._exit, [9, 9], tmp_path, "name")
    assert "a worker process was killed" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["launcher.timeout_min=soon"], r"launcher\.timeout_min: got 'soon'"),
        (["launcher.cpus_per_task=[1]"], r"launcher\.cpus_per_task: got \[1\]"),
        (["launcher.jobs=1.5"], "launcher.jobs: got 1.5; allowed: an integer >= 1"),
    ],
    ids=["minutes", "processors", "jobs"],
)
def test_wrong_settings_are_one_line(words: list[str], message: str) -> None:
    pytest.importorskip("submitit", reason='pip install "simdiff[cluster]"')
    with pytest.raises(InputError, match=message):
        make_launcher(settings("slurm", *words))


def test_settings_reach_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sbatch is given, by a program of that name."""
    pytest.importorskip("submitit", reason='pip install "simdiff[cluster]"')
    words = ["launcher.partition=gpu", "launcher.gpus_per_node=4", "launcher.timeout_min=30"]
    words += ["launcher.additional_parameters={mail-type: END}", "launcher.setup=[module load cuda]"]
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, lines in {
        "sbatch": 'cp "$1" seen.sh; echo Submitted batch job 7',
        "srun": "",
        "squeue": "",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("simdiff.cli.submitted._LATE", 0.0)
    launcher = make_launcher(settings("slurm", *words))
    assert launcher.jobs == 16
    said = launcher.launch(len, [[0], [1]], tmp_path / "logs", "simdiff-mine")
    assert [line.split(";")[0] for line in said] == [
        "job 7_0 cancelled or killed",
        "job 7_1 cancelled or killed",
    ]
    script = (tmp_path / "seen.sh").read_text().splitlines()
    options = {line.removeprefix("#SBATCH --") for line in script if line.startswith("#SBATCH")}
    expected = {"partition=gpu", "gpus-per-node=4", "time=30", "job-name=simdiff-mine", "mail-type=END"}
    expected |= {"requeue", "cpus-per-task=4", "nodes=1", "ntasks-per-node=1", "array=0-1%2"}
    assert options >= expected
    assert any(option.startswith("signal=") and option.endswith("@120") for option in options)
    assert "module load cuda" in script


@pytest.mark.parametrize("kind", ["local", "slurm"])
def test_without_the_extra_one_line_says_what_to_install(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match=r'pip install "simdiff\[cluster\]"; there is no submitit'):
        make_launcher(settings(kind))


def test_a_job_that_is_told_that_its_time_is_up_starts_again_where_it_was(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason='pip install "simdiff[cluster]"')
    started = tmp_path / "started"

    def interrupted_once(share: list[int]) -> str:
        import os
        import signal
        import time

        if not started.exists():
            started.touch()
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(60)
        return f"points {share}"

    launcher = make_launcher(settings("local"))
    assert launcher.launch(interrupted_once, [[3, 4]], tmp_path / "logs", "name") == ["points [3, 4]"]
