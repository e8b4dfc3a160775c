"""Sweeps in other processes end with the tables of one process; only our own launchers are ever built."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from simdiff.cli import cluster, launchers
from simdiff.cli import main as cli
from simdiff.cli.compose import CONFIGS, make_plan
from simdiff.cli.launchers import KINDS, make_launcher
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


@pytest.mark.parametrize("kind", ["joblib", "local"])
def test_jobs_leave_the_tables_of_one_process(kind: str, here: Path) -> None:
    plugin = {"local": "submitit"}.get(kind, kind)
    pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher", reason='pip install "simdiff[cluster]"')
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


def test_every_launcher_has_a_configuration() -> None:
    assert {file.stem for file in (CONFIGS / "launcher").glob("*.yaml")} == {"basic", *KINDS}
    assert all(settings(kind)["type"] == kind for kind in KINDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["launcher.timeout_min=soon"], r"launcher\.timeout_min: got 'soon'"),
        (["launcher.cpus_per_task=[1]"], r"launcher\.cpus_per_task: got \[1\]"),
        (["launcher.jobs=1.5"], "launcher.jobs: got 1.5; allowed: an integer >= 1"),
    ],
    ids=["minutes", "processors", "jobs"],
)
def test_wrong_settings_are_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason='pip install "simdiff[cluster]"')
    with pytest.raises(InputError, match=message):
        make_launcher(settings("slurm", *words), tmp_path, "name")


def test_settings_reach_the_queue(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason='pip install "simdiff[cluster]"')
    words = ["launcher.partition=gpu", "launcher.gpus_per_node=4", "launcher.timeout_min=30"]
    words += ["launcher.additional_parameters={mail-type: END}", "launcher.setup=[module load cuda]"]
    launcher, jobs = make_launcher(settings("slurm", *words), tmp_path, "simdiff-mine")
    assert jobs == 16
    expected = {"partition": "gpu", "gpus_per_node": 4, "timeout_min": 30, "name": "simdiff-mine"}
    expected |= {"setup": ["module load cuda"]}
    assert launcher.params.items() >= expected.items()
    assert launcher.params["additional_parameters"] == {"mail-type": "END", "requeue": True}


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_extra_one_line_says_what_to_install(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("hydra_plugins", "submitit")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("hydra_plugins", "submitit"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "simdiff.launchers.submitted", raising=False)
    monkeypatch.delattr(launchers, "submitted", raising=False)
    with pytest.raises(InputError, match=r'pip install "simdiff\[cluster\]"'):
        make_launcher(settings(kind), tmp_path, "name")
