"""Odd arguments and odd command lines end in one line that names them, or in a right result.

A small part of `benchmarks/fuzz.py`, and every input that failed once (`tests/fuzz/failed_once*.json`).
Both run in a process of their own, where types are not checked by beartype as they are under pytest.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
STORED = {"fuzz_calls.py": "failed_once.json", "fuzz_commands.py": "failed_once_commands.json"}


def failures(script: str, folder: Path, *words: str) -> tuple[list, int]:
    """What failed, and how many inputs there were."""
    run = subprocess.run(
        [sys.executable, FUZZ / script, *words], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    *failed, (word, _, count) = map(json.loads, run.stdout.splitlines())
    assert word == "done"
    return failed, int(count)


@pytest.mark.parametrize(("script", "last"), [("fuzz_calls.py", 50), ("fuzz_commands.py", 25)])
def test_no_input_leads_to_a_traceback(script, last, tmp_path):
    failed, count = failures(script, tmp_path, "0", str(last))
    assert failed == []
    stored = json.loads((FUZZ / STORED[script]).read_text(encoding="utf-8"))
    assert count == last + len(stored)


@pytest.mark.parametrize(
    "script", ["fuzz_calls.py", pytest.param("fuzz_commands.py", marks=pytest.mark.heavy)]
)
def test_a_planted_fault_is_noticed(script, tmp_path):
    failed, count = failures(script, tmp_path, "0", "2", "planted")
    assert len(failed) == count > 0
    assert all("KeyError" in text for *_, text in failed)
