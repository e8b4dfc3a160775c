"""Run commands one after another as a user's shell would: `python cli_driver.py <cases.json>`.

Types are not checked here as they are under pytest, so wrong ones reach the program's own checks. Each
case {"folder", "words"} runs in its folder; its exit status, output and tracebacks go to stdout as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path

from simdiff import engine
from simdiff.cli import main as cli


def never(*arguments, **names):
    raise AssertionError("a trial was run")


def run(folder: str, words: list[str]) -> dict[str, object]:
    os.chdir(folder)
    out, err, status = io.StringIO(), io.StringIO(), -1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(words)
        except BaseException:
            traceback.print_exc()
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    engine.run_trials = engine.prepare = never
    cases = json.loads(Path(sys.argv[1]).read_text())
    json.dump({name: run(**case) for name, case in cases.items()}, sys.stdout)
