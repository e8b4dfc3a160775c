"""The page on extending: its blocks are run as one module, its parts chosen by name on the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simdiff.store import RunFolder

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"

QUICK = ["sizes=[8,12]", "precision=0.9", "max_trials=4", "figure.kind=none"]
FLOW = ["trainer.ridge=0.1"]
SMALL = ["psi_n=1", "model.psi_p=1", "t=0.5"]
COMMANDS = {
    "list": ["list"],
    "data law": ["run", "data=two_clouds", "data.separation=2", *SMALL, *QUICK],
    "metric": [
        "run",
        "data=two_clouds",
        "trainer=gradient_flow",
        "trainer.times=[1,10]",
        *FLOW,
        *SMALL,
        *QUICK,
    ],
    "trainer": ["run", "trainer=lion", "trainer.steps=3", *SMALL, *QUICK],
    "activation": ["predict", "model.activation=my_parts:cubed_tanh", *SMALL],
    "theory": ["predict", "theory=bayes_floor", *SMALL],
    "launcher": ["run", "-m", "problem=largest_of_normals", "psi_n=2,4", "launcher=backwards", *QUICK],
    "figure": ["run", "problem=largest_of_normals", "figure.pulls=true", *QUICK[:3]],
    "bad data": ["run", "data=two_clouds", "data.distance=2"],
    "bad launcher": ["run", "launcher=backwards", "launcher.jobs=two"],
    "bad trainer": ["run", "trainer=lions"],
}

DRIVER = """
import contextlib, io, json, sys
import my_parts
from simdiff.cli import main as cli

found = {}
for number, (name, words) in enumerate(json.loads(sys.argv[1]).items()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main([*words, f"out=run{number}"] if words[0] == "run" else words)
    found[name] = [status, out.getvalue(), err.getvalue()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (here / "my_parts.py").write_text("\n".join(blocks))
    return here


@pytest.fixture(scope="module")
def found(folder):
    """{case: [status, output, errors]}, all in one process in which nothing else was imported."""
    words = [sys.executable, "-c", DRIVER, json.dumps(COMMANDS)]
    environment = os.environ | {"PYTHONPATH": str(folder), "MPLBACKEND": "agg"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name", ["two_clouds", "lion", "bayes_floor", "largest_of_normals", "backwards", "power_law", "slurm"]
)
def test_the_parts_are_listed(found, name):
    assert re.search(rf"\b{name}\b", found["list"][1])


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("bad")])
def test_the_parts_are_chosen_by_name(found, name):
    status, _, errors = found[name]
    assert status == 0, errors


def test_what_they_do(found, folder):
    assert "0.367879" in found["theory"][1]  # e^{-2t} at t = 1/2
    figures = folder / f"run{list(COMMANDS).index('figure')}" / "figures"
    assert (figures / "pulls.png").exists()
    assert not (folder / f"run{list(COMMANDS).index('trainer')}" / "figures" / "pulls.png").exists()


@pytest.mark.parametrize(("name", "ridge"), [("data law", 1e-3), ("metric", 0.1)])
def test_the_metric_is_measured_with_every_trainer(found, folder, name, ridge):
    rows = RunFolder(folder / f"run{list(COMMANDS).index(name)}").trials()
    assert len(rows)
    np.testing.assert_allclose(ridge * rows["weight_norm"], rows["objective"] - rows["train"], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad data", "data.distance=2"),
        ("bad launcher", r"launcher\.jobs"),
        ("bad trainer", "did you mean 'lion'"),
    ],
)
def test_their_settings_are_checked(found, name, words):
    status, _, errors = found[name]
    assert (status, errors.count("\n")) == (2, 1)
    assert re.search(words, errors)


def test_every_file_that_the_page_names_exists():
    named = re.findall(r"`((?:simdiff|tests|configs)/[\w/.]+\.(?:py|yaml))`", PAGE.read_text())
    missing = [
        name
        for name in named
        if not re.search("NAME|PROBLEM", name) and not (PAGE.parents[1] / name).exists()
    ]
    assert named
    assert missing == []
