"""Four processes write one run folder and are killed before random operations on its files, for a minute.

    python benchmarks/kill_storm.py [seconds]      # default 60

All run the same sweep, so that they meet at the same trials. Each dies by SIGKILL right before a random one
of its first 400 operations on files of the folder (one that is alone does some 2,500), and is replaced. Where
one finishes before the time is over, the storm goes on in a new folder. Each folder is then completed by one
undisturbed process and compared with an uninterrupted run: no row lost, doubled or
different, no file damaged, tables equal byte for byte. Stored: results/kill_storm.csv (a row a folder) and
results/kill_storm.json.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

import pandas as pd  # noqa: E402
from resume_driver import start, storm, wait  # noqa: E402

from simdiff.store import RunFolder, metric_columns  # noqa: E402

PROCESSES, MOST = 4, 400
WORDS = [
    *("run", "-m", "problem=own_problem:Mean", "theory=own_problem:mean_theory", "level=range(1,13)"),
    *("sizes=[20,40,80]", "precision=0.001", "max_trials=128", "figure.kind=none"),
]
TABLES = [f"{table}.{kind}" for table in ("summary", "finite_sizes") for kind in ("csv", "parquet")]


def whole_rows(folder: Path) -> pd.DataFrame:
    """Stored trials without what differs from run to run; raises if a file is damaged."""
    return RunFolder(folder, create=False).trials().drop(columns=["duration"])


def on_disk(folder: Path) -> pd.DataFrame:
    """The rows of every file, those that two processes both computed included."""
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("trials/*/d*.parquet"))])


def one_folder(name: str, seconds: float, moments: random.Random) -> dict[str, object]:
    """A storm in the folder `name`, and what it left."""
    began = time.monotonic()
    counts = storm(WORDS, name, seconds, PROCESSES, MOST, moments)
    lasted, before = time.monotonic() - began, len(whole_rows(Path(name)))
    assert wait(start(WORDS, name)) == 0, Path("log.txt").read_text()[-2000:]
    rows, reference, disk = whole_rows(Path(name)), whole_rows(Path("whole")), on_disk(Path(name))
    keys = ["point", "d", "seed", "trial"]
    doubled = disk.groupby(keys)[metric_columns(disk.columns)].nunique(dropna=False).max().max()
    return {
        "folder": name,
        "seconds": lasted,
        "died by SIGKILL": counts["killed"],
        "finished": counts["finished"],
        "failed": counts["failed"],
        "trials when it ended": before,
        "trials": len(rows),
        "rows lost": len(reference) - len(rows.merge(reference[keys], on=keys)),
        "rows doubled": int(rows.duplicated(keys).sum()),
        "rows different": int((rows != reference)[~reference.isna()].any(axis=1).sum()),
        "computed twice, on disk": len(disk) - len(rows),
        "of these different": int(doubled > 1),
        "unfinished files left": len(list(Path(name).rglob(".tmp-*"))),
        "tables identical": all(
            (Path(name) / t).read_bytes() == (Path("whole") / t).read_bytes() for t in TABLES
        ),
    }


def sound(row: dict[str, object]) -> bool:
    """Whether the storm left nothing lost, doubled or damaged."""
    none = ("rows lost", "rows doubled", "rows different", "of these different", "failed")
    return bool(row["tables identical"]) and not any(row[name] for name in none)


def run(seconds: float) -> list[dict[str, object]]:
    """Storms in a temporary folder until the time is over."""
    moments, rows, left = random.Random(11), [], seconds
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        shutil.copy(TESTS / "toy_problems.py", "own_problem.py")
        assert wait(start(WORDS, "whole")) == 0, Path("log.txt").read_text()[-2000:]
        while left > 1:
            rows.append(one_folder(f"storm-{len(rows)}", left, moments))
            left -= float(rows[-1]["seconds"])
    return rows


if __name__ == "__main__":
    found = run(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
    assert all(map(sound, found)), found
    from common import facts, store  # JAX starts here only: a process that forks must not have begun it

    kills = sum(int(row["died by SIGKILL"]) for row in found)
    more = {
        "processes": PROCESSES,
        "seed": 11,
        "words": WORDS,
        "died by SIGKILL": kills,
        "cores": os.cpu_count(),
    }
    store("kill_storm", pd.DataFrame(found), facts("python benchmarks/kill_storm.py", **more))
