"""The page on networks: its blocks are run as one module, and its file from the command line."""

import re
from pathlib import Path

import pytest

from simdiff.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
QUICK = ["figure.kind=none", "max_trials=4", "precision=0.9"]


@pytest.fixture(scope="module")
def names():
    there = {"__name__": "page"}
    exec(compile("\n".join(BLOCKS), str(PAGE), "exec"), there)
    return there


@pytest.mark.heavy
def test_the_file_is_twenty_lines_and_trains(names):
    assert len(BLOCKS[0].strip().splitlines()) <= 20
    rows = names["rows"]
    assert len(rows) == 6
    assert set(rows["status"]) == {"ok"}
    by_step = rows.groupby("time")["train"].mean()
    assert by_step.is_monotonic_decreasing
    assert by_step.iloc[-1] < 0.9 * by_step.iloc[0]


@pytest.mark.heavy
def test_a_theory_of_random_features_is_an_approximation(names):
    assert set(names["verdict"].table["verdict"]) == {"approximation"}


@pytest.mark.heavy
def test_a_program_that_is_not_in_jax_meets_its_theory(names):
    verdict = names["found"]
    assert verdict.agree is True, verdict
    assert set(verdict.table["metric"]) == {"train", "risk"}


def test_the_file_runs_from_the_command_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "mlp.py").write_text(BLOCKS[0])
    monkeypatch.chdir(tmp_path)
    words = ["model=network", "model.init=mlp.py:init", "model.apply=mlp.py:apply", "model.predicts=noise"]
    words += ["model.psi_p=1", "psi_n=1", "trainer=optax", "trainer.steps=5", "trainer.records=1"]
    assert main(["run", *words, "sizes=[8,12]", *QUICK, "out=run"]) == 0
    report = (tmp_path / "run" / "report.md").read_text()
    assert "fresh points" in report
    assert "diverged" in report
    capsys.readouterr()
    assert main(["run", *words[:2], "model.apply=mlp.py:init", *words[3:], *QUICK, "out=other"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
