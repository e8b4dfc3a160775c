"""The tutorial's own problem: its page shows the file, and a right and a wrong theory get their verdicts."""

import dataclasses
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import simdiff
from simdiff.cli import main as cli

pytestmark = pytest.mark.heavy

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "ridge_regression.py"
SIZES, PRECISION = (50, 100, 200), 0.02

FORGETFUL = """
import dataclasses
from ridge_regression import theory as right

def theory(problem):
    return right(dataclasses.replace(problem, noise=0.0))
"""


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(EXAMPLE.parent))
    try:
        yield importlib.import_module("ridge_regression")
    finally:
        sys.path.remove(str(EXAMPLE.parent))
        sys.modules.pop("ridge_regression", None)


def page() -> str:
    return (DOCS / "tutorial_problem.md").read_text()


def test_the_page_shows_the_file():
    blocks = re.findall(r"```python\n(.*?)```", page(), flags=re.DOTALL)
    assert EXAMPLE.read_text() in blocks


def test_the_class_and_its_theory_take_some_thirty_lines(example):
    lines = EXAMPLE.read_text().split("def theory")[0].split("@dataclasses")[1].splitlines()
    assert len([line for line in lines if line.strip()]) <= 32


def test_the_known_formula_agrees(example):
    verdict = simdiff.validate(example.RidgeRegression(), example.theory, sizes=SIZES, precision=PRECISION)
    assert verdict.agree is True, verdict


def test_a_formula_that_is_slightly_off_is_rejected(example):
    """3% in the training error: five standard errors at the precision that the right formula reaches."""

    def off(problem):
        return example.theory(problem) | {"train": 1.03 * example.theory(problem)["train"]}

    verdict = simdiff.validate(example.RidgeRegression(), off, sizes=SIZES, precision=PRECISION)
    assert verdict.table.set_index("metric")["verdict"].to_dict() == {"risk": "agree", "train": "disagree"}
    assert verdict.agree is False


def test_the_formula_without_ridge_is_the_ridgeless_one(example):
    """Risk noise^2 gamma / (1 - gamma) below gamma = 1, 1 - 1/gamma + noise^2 / (gamma - 1) above."""
    few = dataclasses.replace(example.RidgeRegression(gamma=0.5), ridge=1e-8)
    many = dataclasses.replace(few, gamma=2.0)
    assert example.theory(few)["risk"] == pytest.approx(0.25, rel=1e-6)
    assert example.theory(many)["risk"] == pytest.approx(0.5 + 0.25, rel=1e-6)


def command(**changed: str) -> list[str]:
    """The words after `simdiff` in the tutorial's command, some of them changed, with few trials."""
    lines = page().replace("\\\n", " ").splitlines()
    shown = shlex.split(next(line for line in lines if line.startswith("simdiff run")))[1:]
    words = [word for word in shown if word.split("=")[0] not in changed]
    return [*words, *(f"{name}={value}" for name, value in changed.items()), "max_trials=512"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the tutorial's command ran, beside a copy of the file."""
    here = tmp_path_factory.mktemp("tutorial")
    shutil.copy(EXAMPLE, here)
    done = subprocess.run(
        [sys.executable, "-m", "simdiff.cli", *command(gamma="0.5,2")],
        cwd=here,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return here


def test_the_command_leaves_verdicts_and_figures(folder):
    summary = pd.read_csv(folder / "runs" / "ridge" / "summary.csv")
    assert set(summary["gamma"]) == {0.5, 2.0}
    assert set(summary["verdict"]) == {"agree"}
    assert (folder / "runs" / "ridge" / "figures" / "curves.png").stat().st_size > 10_000
    assert "agree in all of 4 comparisons" in (folder / "runs" / "ridge" / "report.md").read_text()


def test_stored_trials_serve_another_theory_which_is_rejected(folder, example, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "forgetful.py").write_text(FORGETFUL)
    before = shards(folder)
    assert cli.main(command(gamma="0.5", theory="forgetful:theory")) == 0
    assert set(pd.read_csv(folder / "runs" / "ridge" / "summary.csv")["verdict"]) == {"disagree"}
    assert before.items() <= shards(folder).items()


def shards(here: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in here.rglob("trials/*/*.parquet")}
