"""One sweep twice: in this process, and in the jobs of a SLURM array of which one is cancelled half way.

The command that was robbed of a job is then given again. What happened comes back as plain values.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from simdiff.cli.compose import make_plan
from simdiff.parts.build import build_problem
from simdiff.store import RunFolder

TABLES = [f"{table}.{kind}" for table in ("summary", "finite_sizes") for kind in ("csv", "parquet")]
AT_MOST = 600.0  # seconds for one command


def cancelled_sweep(
    place: Path, words: Sequence[str], jobs: int, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Run the sweep `words` in the folder `place`, whose subfolders `local` and `slurm` are the run folders.

    Job 0 is cancelled once it has stored trials of its first point.
    """
    with contextlib.chdir(place):
        points = make_plan(words, True, "").points
        first = build_problem(points[0]).digest()
    shell = _Shell(place, words, environment)
    settings = ["launcher=slurm", f"launcher.jobs={jobs}", "launcher.cpus_per_task=1", "out=slurm"]
    local = shell("run", "out=local")
    begun = shell.start("run", *settings)
    array = _wait_for(lambda: re.search(r"jobs: (\d+)_0", shell.log("run")), begun)[1]
    _wait_for(lambda: list((place / "slurm" / "trials").glob(f"{first}/d*.parquet")), begun)
    for how in (["--full", "--signal=KILL"], []):  # at once: a toy job may end within SLURM's time of grace
        subprocess.run(["scancel", *how, f"{array}_0"], env=environment, check=False)
    early = shell("report", *settings)  # other jobs are at work
    status = begun.wait(timeout=AT_MOST)
    after = _unfinished(place / "slurm" / "report.md")
    kept = len(_rows(place / "slurm"))
    again = shell("run", *settings)
    return {
        "points": len(points),
        "jobs": jobs,
        "cancelled job": f"{array}_0",
        "report while jobs ran": {"exit status": early, "says": shell.says("report")},
        "first command": {"exit status": status, "report says": after, "trials": kept},
        "same command again": {
            "exit status": again,
            "jobs": len(list((place / "slurm" / "jobs").glob("*/*/*_log.out"))) - jobs,
            "trials": len(_rows(place / "slurm")),
            "report says": _unfinished(place / "slurm" / "report.md"),
        },
        "local": {"exit status": local, "trials": len(_rows(place / "local"))},
        "stored rows": sum(len(pd.read_parquet(p)) for p in (place / "slurm").glob("trials/*/d*.parquet")),
        "trials identical": _rows(place / "slurm").equals(_rows(place / "local")),
        "tables identical": [
            name
            for name in TABLES
            if (place / "slurm" / name).read_bytes() == (place / "local" / name).read_bytes()
        ],
    }


def sound(found: Mapping[str, Any]) -> bool:
    """Whether the sweep was interrupted in the middle, and completed with the local result."""
    first, again, local = (found[name] for name in ("first command", "same command again", "local"))
    return (
        first["exit status"] == 1
        and "Unfinished" in first["report says"]
        and 0 < first["trials"] < again["trials"] == local["trials"] == found["stored rows"]
        and again["exit status"] == local["exit status"] == 0
        and not again["report says"]
        and found["trials identical"]
        and found["tables identical"] == TABLES
        and "Unfinished" in found["report while jobs ran"]["says"]
    )


class _Shell:
    """Commands of the program in one folder, with what they said in files."""

    def __init__(self, place: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._place, self._words, self._environment = place, words, environment

    def __call__(self, verb: str, *more: str) -> int:
        return self.start(verb, *more).wait(timeout=AT_MOST)

    def start(self, verb: str, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "simdiff.cli", verb, "-m", *self._words, *more]
        with (self._place / f"{verb}.log").open("w") as log:
            return subprocess.Popen(
                command, cwd=self._place, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def log(self, verb: str) -> str:
        return (self._place / f"{verb}.log").read_text()

    def says(self, verb: str) -> str:
        return next((line for line in self.log(verb).splitlines() if line.startswith("Unfinished")), "")


def _wait_for(what, process: subprocess.Popen) -> Any:
    end = time.monotonic() + AT_MOST
    while not (found := what()):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the command ended with {process.poll()} before there were trials")
        time.sleep(0.02)
    return found


def _rows(folder: Path) -> pd.DataFrame:
    """Stored trials without what differs from run to run."""
    return RunFolder(folder, create=False).trials().drop(columns=["duration"])


def _unfinished(report: Path) -> str:
    found = re.search(r"\*\*(Unfinished.*)\*\*", report.read_text())
    return found[1] if found else ""


if __name__ == "__main__":
    from slurm_machine import slurm_machine

    with slurm_machine() as around:
        found = cancelled_sweep(Path(sys.argv[1]), sys.argv[3:], int(sys.argv[2]), around)
    print(json.dumps(found, indent=1), "sound" if sound(found) else "NOT SOUND")
