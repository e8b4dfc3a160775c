"""The example of a PyTorch loop as a host trial: verdicts, two processes killed and resumed."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simdiff.store import RunFolder

pytest.importorskip("torch")
pytestmark = pytest.mark.heavy

PATH = Path(__file__).parents[2] / "docs" / "examples" / "torch_least_squares.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("torch")
    (here / "loop.py").write_text(PATH.read_text())
    return here


def run(folder, out, theory="theory"):
    words = ["run", "problem=loop.py:TorchLeastSquares", f"theory=loop.py:{theory}", f"out={out}"]
    words += ["sizes=[16,24]", "precision=0.06", "max_trials=96", "figure.kind=none", "extrapolation=none"]
    log = (folder / "log.txt").open("a")
    command = [sys.executable, "-m", "simdiff.cli", *words]
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def rows(folder, out):
    found = RunFolder(folder / out).trials()
    return found[["d", "trial", "seed", "status", "train", "fitted"]]


def test_two_processes_killed_and_resumed_end_with_the_right_verdict(folder):
    both = [run(folder, "killed") for _ in range(2)]
    deadline = time.monotonic() + 120
    while not list(folder.glob("killed/trials/*/d*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in both:
        process.kill()
        process.wait()
    partly = len(rows(folder, "killed"))
    ends = [process.wait(300) for process in (run(folder, "killed"), run(folder, "whole"))]
    assert ends == [0, 0], (folder / "log.txt").read_text()
    assert 0 < partly < len(rows(folder, "whole"))
    pd.testing.assert_frame_equal(rows(folder, "killed"), rows(folder, "whole"))
    assert "agree in all" in (folder / "whole" / "report.md").read_text()


def test_a_wrong_theory_is_rejected(folder):
    assert run(folder, "wrong", "wrong").wait(300) == 0
    summary = pd.read_csv(folder / "wrong" / "summary.csv").set_index("metric")
    assert summary["verdict"].to_dict() == {"train": "agree", "fitted": "disagree"}


def test_the_loop_ends_at_the_minimum():
    """Against a direct solution on the same draws."""
    import importlib.util

    import torch

    spec = importlib.util.spec_from_file_location("torch_least_squares", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    problem = module.TorchLeastSquares()
    found = problem.trial_host(np.random.default_rng(1), 12)
    torch.manual_seed(int(np.random.default_rng(1).integers(2**63)))
    x, y = (torch.randn(24, k, dtype=torch.float64).numpy() for k in (12, 1))
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    expected = [np.mean(fitted**2), np.mean((fitted - y) ** 2)]
    np.testing.assert_allclose([found["fitted"], found["train"]], expected, rtol=1e-8)
