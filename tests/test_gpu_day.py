"""The script of a GPU day, in small and on CPU: its steps make their tables, none takes others down."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
STEPS = """
import sys, time
step, seconds = sys.argv[1], float(sys.argv[3])
if step == "peak": raise MemoryError("RESOURCE_EXHAUSTED: out of memory")
if step == "verdict": import no_such_package
if step == "small": time.sleep(600)
print(step, "measured in", seconds)
"""


@pytest.fixture(scope="module")
def gpu_day():
    spec = importlib.util.spec_from_file_location("gpu_day", BENCHMARKS / "gpu_day.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.heavy
def test_steps_in_small(tmp_path):
    words = ["memory", "--small", "--minutes", "9", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu_day.py"), *words], capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (pd.read_csv(tmp_path / "gpu_day_memory_small.csv")["planned_gib"] > 0).all()
    record = json.loads((tmp_path / "gpu_day_small.json").read_text())
    assert {step: about["ended"] for step, about in record.items()} == {"memory": "done"}


def test_a_step_that_fails_or_hangs_costs_itself_alone(gpu_day, tmp_path, monkeypatch):
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    monkeypatch.setattr(gpu_day, "GRACE", 0.0)
    steps = ["agreement", "peak", "verdict", "small", "sweep"]
    record = tmp_path / "gpu_day.json"
    found = gpu_day.day(steps, 0.25, [], [sys.executable, str(script)], record)
    assert found == json.loads(record.read_text())
    ended = [found[step]["ended"] for step in steps]
    assert ended[0] == ended[4] == "done"
    assert ended[1] == ended[2] == "failed, exit status 1"
    assert ended[3].startswith("stopped")
    assert "out of memory" in found["peak"]["last_words"][-1]
    assert "no_such_package" in found["verdict"]["last_words"][-1]


def test_shares_of_the_time_left(gpu_day):
    steps = list(gpu_day.SHARES)
    assert gpu_day.limits(steps, 1500.0) == pytest.approx(60 * 25 * 4.0 / sum(gpu_day.SHARES.values()))
    assert gpu_day.limits(steps[-1:], 77.0) == 77.0
    assert sum(gpu_day.SHARES.values()) <= 25.0


def test_without_a_gpu_each_step_says_so(tmp_path):
    words = [sys.executable, str(BENCHMARKS / "gpu_steps.py"), "peak", "--results", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no GPU here" in done.stderr
    assert not list(tmp_path.iterdir())
