"""Command lines with odd words and surroundings: python fuzz_commands.py FIRST LAST prints what failed.

Input number k is drawn from random.Random(k): a command, one to four odd words, and now and then an odd
environment. It must end with status 0, 2, or where trials would be run; without a traceback, and with every
file that was there before as it was. Run as a process of its own, in an empty folder that it fills.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

from odd_values import odd_value

from simdiff import engine
from simdiff.cli import main as cli
from simdiff.parts import registry

HERE = Path(__file__).parent
STORED = HERE / "failed_once_commands.json"
OWN = ["problem=own_problem:Mean", "theory=own_problem:mean_theory", "sizes=[8,12]", "precision=1"]
KEYS, TEXTS = (
    (HERE / name).read_text(encoding="utf-8").splitlines() for name in ("keys.txt", "odd_words.txt")
)
WORDS = (
    "-m",
    "--help",
    "--version",
    "-x",
    "--cfg",
    "--",
    "=",
    "a",
    "done",
    "../x",
    "ψ",
    "+psi_n=1",
    "~m",
    "@x=1",
)
ENVIRONMENT = {
    "COLUMNS": ("abc", "0", "-1", "1", "99999"),
    "TERM": ("", "dumb", "nothing"),
    "HOME": ("", "/nonexistent", "ψ"),
    "JAX_COMPILATION_CACHE_DIR": ("", "nowhere/x", "done/report.md"),
    "SLURM_JOB_ID": ("", "abc", "12"),
    "SLURM_MEM_PER_NODE": ("", "abc", "-1", "0", "100G"),
    "SLURM_CPUS_ON_NODE": ("", "abc", "0", "2(x3)"),
    "NO_COLOR": ("", "1"),
    "HYDRA_FULL_ERROR": ("1", "abc"),
    "PYTHONWARNINGS": ("error", "abc"),
}


class Case(NamedTuple):
    """Words, and what is in the environment beside what was."""

    words: list[str]
    environment: dict[str, str]


class Accepted(Exception):
    """Trials would be run now."""


def _never(*arguments: object, **names: object) -> None:
    raise Accepted


def case(number: int) -> Case:
    """Input number `number`."""
    rng = random.Random(number)
    words = [rng.choice(("run", "run", "predict", "predict", "report", "list", "rnu", ""))]
    words += rng.choice(([], [], OWN, ["-m"], ["problem=linear_sampling"]))
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        value = rng.choice(TEXTS) if rng.random() < 0.7 else odd_value(rng)
        value = value if rng.random() < 0.8 else rng.choice(_names())
        words.append(rng.choice(WORDS) if rng.random() < 0.2 else f"{rng.choice(KEYS)}={value}")
    names = rng.sample(sorted(ENVIRONMENT), 1 if rng.random() < 0.3 else 0)
    return Case(words, {name: rng.choice(ENVIRONMENT[name]) for name in names})


def _names() -> list[str]:
    return [name for kind in ("problem", "data", "model", "trainer") for name in registry.parts(kind)]


def prepare(folder: Path) -> None:
    """A user's module, and a finished run, in the working folder."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    shutil.copy(HERE.parent / "toy_problems.py", folder / "own_problem.py")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert cli.main(["run", *OWN, "max_trials=8", "out=done"]) == 0


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def failure(case: Case, folder: Path) -> str:
    """What should not have happened; "" where all is well."""
    before, kept = contents(folder / "done"), dict(os.environ)
    err, status = io.StringIO(), None
    os.environ.update(case.environment)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            status = cli.main(case.words)
    except Accepted:
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        return traceback.format_exc(limit=-5)
    finally:
        os.environ.clear()
        os.environ.update(kept)
        os.chdir(folder)
    if status not in (0, 2) or "Traceback" in err.getvalue():
        return f"status {status}: {err.getvalue()}"
    if status == 2 and not err.getvalue().strip():
        return "status 2 without a word"
    after = contents(folder / "done")
    return "" if before == {k: after.get(k) for k in before} else "a finished run was changed"


def main() -> None:
    folder = Path.cwd()
    prepare(folder)
    engine.run_trials = engine.prepare = _never  # type: ignore[assignment]
    if "planted" in sys.argv:
        cli._dispatch = lambda words: {}[tuple(words)]  # type: ignore[attr-defined]
    cases = [case(number) for number in range(*map(int, sys.argv[1:3]))]
    if STORED.exists():
        cases += [Case(*entry) for entry in json.loads(STORED.read_text(encoding="utf-8"))]
    for each in cases:
        found = failure(each, folder)
        if found:
            print(json.dumps([each.words, each.environment, found]), flush=True)
    print(json.dumps(["done", {}, str(len(cases))]))


if __name__ == "__main__":
    main()
