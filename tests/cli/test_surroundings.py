"""What surrounds a command: environments, odd folders, modules that do too much, texts of any kind."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
OWN = ["problem=own:Mean", "sizes=[20,40,80]", "precision=0.5", "max_trials=8", "figure.kind=none"]
OWN += ["compilation_cache=off"]

MODULES = {
    "own": (HERE / "toy_problems.py").read_text(),
    "random": "raise RuntimeError('a file of the user, not the library')\n",
    "leaves": "import sys\n\ndef theory(problem):\n    return {}\n\nsys.exit(3)\n",
    "parses": "import argparse\n\np = argparse.ArgumentParser()\np.add_argument('--needed', required=True)\n"
    "p.parse_args([])\n",
    "moves": "import os\n\nos.chdir('/')\n\ndef theory(problem):\n    return {'value': 2.0, 'twice': 4.0}\n",
}

DRIVER = """
import contextlib, io, json, os, sys
from simdiff.cli import main as cli

found = {}
for name, words in json.loads(sys.argv[1]).items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(words)
    found[name] = [status, err.getvalue(), os.getcwd()]
from hydra import compose, initialize
with initialize(config_path=None, version_base="1.3"):
    found["inside another program of Hydra"] = [cli.main(json.loads(sys.argv[2])), "", os.getcwd()]
    found["its own configuration"] = [0 if compose(overrides=["+a=1"]).a == 1 else 1, "", os.getcwd()]
print(json.dumps(found))
"""

SOUND = {
    "a home folder": ["run", *OWN, "out=~/mine"],
    "an equals sign": ["run", *OWN, "out=a=b"],
    "a hash and blanks": ["run", *OWN, "name=a #1 (try)", "out=named"],
    "a module that moves": ["run", *OWN, "theory=moves:theory", "out=moved"],
    "a number with an exponent": ["predict", "trainer=optax", "trainer.name=sgd", "trainer.steps=1e2"],
}
WRONG = {
    "an address": (["run", *OWN, "out=file:///nowhere/y"], "out: got 'file:///nowhere/y'; allowed: a folder"),
    "a bucket": (["run", *OWN, "out=s3://bucket/y"], "out: got 's3://bucket/y'"),
    "no data": (["run", "data=null"], "data: got 'null'; allowed: digits, .*gaussian"),
    "no trainer": (["run", "trainer=null"], "trainer: got 'null'; allowed: .*none"),
    "devices": (["run", *OWN, "launcher=joblib", "devices=abc"], "devices: got 'abc'"),
    "a module that ends": (["predict", "theory=leaves:theory"], "importing leaves ends the program"),
    "a module with options": (["predict", "theory=parses:theory"], "importing parses ends the program"),
    "special characters": (["predict", "model.activation=a#b"], "quote a value with special characters"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{case: [status, errors, working directory]}, in one process whose surroundings are odd."""
    here = tmp_path_factory.mktemp("surroundings")
    for name, text in MODULES.items():
        (here / f"{name}.py").write_text(text)
    cases = SOUND | {name: words for name, (words, _) in WRONG.items()}
    odd = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "HOME": str(here),
        "PYTHONOPTIMIZE": "1",
    }
    words = [sys.executable, "-P", "-c", DRIVER, json.dumps(cases), json.dumps(["run", *OWN, "out=inner"])]
    done = subprocess.run(words, cwd=here, env=os.environ | odd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: (*result, str(here)) for name, result in found.items()}


INNER = ["inside another program of Hydra", "its own configuration"]


@pytest.mark.parametrize("name", [*SOUND, *INNER])
def test_sound_commands_run(name, found):
    status, errors, folder, here = found[name]
    assert status == 0, errors
    assert folder == here


def test_folders_are_where_they_were_said_to_be(found):
    here = Path(found["a home folder"][3])
    assert {path.name for path in here.iterdir() if path.is_dir()} >= {
        "mine",
        "a=b",
        "named",
        "moved",
        "inner",
    }
    assert "# a #1 (try)" in (here / "named" / "report.md").read_text()


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ones_are_one_line(name, found):
    status, errors, folder, here = found[name]
    assert (status, errors.count("\n"), folder) == (2, 1, here), errors
    assert re.search(WRONG[name][1], errors), errors


def test_a_platform_that_is_not_there(tmp_path):
    shutil.copy(HERE / "toy_problems.py", tmp_path / "own.py")
    words = [sys.executable, "-m", "simdiff.cli", "run", *OWN, "out=never"]
    environment = os.environ | {"JAX_PLATFORMS": "rocm"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("simdiff: JAX_PLATFORMS: got 'rocm'")
    assert not (tmp_path / "never").exists()
