"""The default sweep and the time to a verdict with another checkout's code and with this one's, side by side.

    git clone . FOLDER && git -C FOLDER checkout COMMIT     # the code to compare with
    python benchmarks/before_after.py FOLDER                # medians of three, processes one after the other

Whole processes from start to exit, as a user waits for them, with no program kept from before (`cold`) and
with those of the first (`kept`):

sweep      `simdiff run experiment=gaussian_learning_curve` with its report and figures
ridge, linear, flow    `simdiff.validate` at 0.5%, the problems of `time_to_verdict.py`
predict    `simdiff.predict` of one point
trials     the eleven points of `cold_start.py`, six trials each

Verdicts of both are counted: they have to be the same but for chance. Stored in
results/speed_before_after.csv.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from cold_start import ONCE, PREDICT
from common import facts, store

HERE = Path(__file__).parents[1]
SWEEP = """
import pandas as pd
from simdiff.cli.main import main
status = main(["run", "experiment=gaussian_learning_curve", "out=swept"])
assert status in (0, 1), status
print(pd.read_csv("swept/summary.csv")["verdict"].value_counts().to_dict())
"""
VALIDATE = """
import simdiff
from time_to_verdict import problems
verdict = simdiff.validate(problems()["{name}"], precision=0.005)
print(verdict.table["verdict"].value_counts().to_dict())
"""
WORKS = {"sweep": SWEEP} | {name: VALIDATE.format(name=name) for name in ("ridge", "linear", "flow")}
WORKS |= {"predict": PREDICT, "trials": ONCE}


def timed(code: str, checkout: Path, place: Path, cache: str) -> tuple[float, str]:
    """(seconds of a new process, the last line that it printed)."""
    paths = os.pathsep.join([str(checkout), str(HERE / "benchmarks")])
    environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": paths, "MPLBACKEND": "agg"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    start = time.perf_counter()
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return time.perf_counter() - start, (done.stdout.strip().splitlines() or [""])[-1]


def turn(code: str, checkout: Path) -> Iterator[tuple[str, float, str]]:
    """(cold or kept, seconds, what was said), in empty folders."""
    with tempfile.TemporaryDirectory() as cache:
        for start in ("cold", "kept"):
            with tempfile.TemporaryDirectory() as place:
                yield start, *timed(code, checkout, Path(place), cache)


def commit(checkout: Path) -> str:
    """The commit of a checkout."""
    words = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Measure work by work and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    chosen = parser.parse_args()
    checkouts = {"before": chosen.folder.resolve(), "after": HERE}
    command = f"python benchmarks/before_after.py FOLDER --repeats {chosen.repeats}"
    about = facts(command, before=commit(checkouts["before"]), load=os.getloadavg()[0])
    rows = []
    for work in chosen.works:
        found: dict[tuple[str, str], list[float]] = {}
        said = {}
        for _ in range(chosen.repeats):
            for name, checkout in checkouts.items():
                for start, seconds, line in turn(WORKS[work], checkout):
                    found.setdefault((name, start), []).append(seconds)
                    said[name] = line
                    print(work, name, start, round(seconds, 1), line, flush=True)
        for start in ("cold", "kept"):
            before, after = (statistics.median(found[name, start]) for name in checkouts)
            row = {"work": work, "start": start, "before": before, "after": after, "ratio": before / after}
            rows.append(row | {f"verdicts_{name}": said[name] for name in checkouts})
        store("speed_before_after", pd.DataFrame(rows), about, quiet=True)


if __name__ == "__main__":
    main()
