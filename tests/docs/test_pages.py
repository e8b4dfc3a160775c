"""Every block of the README and of the pages is run, or composed: what a reader copies works.

Python is run as it stands, but smaller: `SMALLER` says which numbers are replaced. Commands of simdiff are
composed, and all their points built and checked, which is where a wrong word would be told. The pages on
extending, on networks and on a problem of one's own have tests of their own.
"""

import re
import shlex
import sys
import warnings
from pathlib import Path

import pytest

from simdiff.cli.compose import make_plan
from simdiff.cli.main import main
from simdiff.cli.recorded import report_words
from simdiff.errors import InputError
from simdiff.parts.build import build_problem
from simdiff.store import RunFolder
from simdiff.theory import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {"extending.md", "networks.md", "tutorial_problem.md"}

SMALLER = {
    r"sizes=\(50, 100, 200\)": "sizes=(12, 16, 24)",
    r"precision=0\.\d+": "precision=0.9",
    r"max_trials=\d+": "max_trials=4",
    r"d=100, trials=8": "d=16, trials=2",
    r"d=200\)": "d=40)",
    r"components=40\)\)\)": "components=6)), precision=0.9, max_trials=4)",
    r"models=100, samples=10_000": "models=4, samples=50",
    r"P=1024": "P=64",
}


def blocks(page, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [text for kind, text in found if kind == language]


def smaller(text):
    for pattern, less in SMALLER.items():
        text = re.sub(pattern, less, text)
    return text


PYTHON = [page for page in PAGES if page.name not in ELSEWHERE and blocks(page, "python")]


@pytest.mark.heavy
@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.name)
def test_python_runs_as_printed(page):
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks(page, "python"):
            exec(compile(smaller(block), page.name, "exec"), names)
    if page.name == "README.md":
        said = re.search(r"one row per metric: (.*)", page.read_text())[1].split(", ")
        assert set(said) <= set(names["verdict"].table.columns)


def commands():
    for page in PAGES:
        for block in blocks(page, "") if page.name not in ELSEWHERE else ():
            for line in block.splitlines():
                line = line.replace("NAME", "name").replace("=...", "=linear_early_stopping")
                words = shlex.split(line, comments=True)
                if words and words[0].endswith("simdiff"):
                    yield pytest.param(words[1:], id=f"{page.name}: {' '.join(words[1:])}")


@pytest.fixture
def readers_folder(tmp_path, monkeypatch):
    """Where somebody follows the README: its theory is in bayes.py, and `make run` has been run."""
    (tmp_path / "bayes.py").write_text(blocks(PAGES[0], "python")[2])
    run = RunFolder(tmp_path / "runs" / "gaussian_learning_curve")
    (run.path / "config.yaml").write_text('{"command": "simdiff run experiment=gaussian_learning_curve"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("bayes", None)


@pytest.mark.parametrize("typed", commands())
def test_commands_are_understood(typed, readers_folder, capsys):
    command, *rest = typed
    if command == "list" or "--help" in typed:
        assert main(typed) == 0
        return
    words = ([w for w in rest if w != "-m"], "-m" in rest, shlex.join(["simdiff", *typed]))
    plan = make_plan(*(report_words(words) if command == "report" else words))
    problems = [build_problem(point) for point in plan.points]
    assert problems
    for problem in problems:
        load(plan.setting("theory"), problem)


def test_a_word_that_is_not_understood_would_be_seen(readers_folder):
    with pytest.raises(InputError, match="psi_m"):
        make_plan(["psi_m=3"], False, "simdiff run psi_m=3")
