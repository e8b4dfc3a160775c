"""Whether a change of the code left every number as it was: trials bit for bit, predictions to 1e-12.

    python benchmarks/same_numbers.py write before.csv       with the code as it was
    python benchmarks/same_numbers.py compare before.csv     with the code as it is

Both take five to eight minutes on one core; words behind the file choose the rows whose names contain one of
them. A row is one small problem in one arithmetic: its digest, a sha256 of the bytes of its metrics (in the
order of their names; two trials), the metrics themselves, and what its theory says in the limit and at the
size simulated. `small_problems.py` has the problems.

Bits depend on the machine, on the versions of jax and NumPy, and on XLA's settings: both commands have to
run on the same machine with the same ones (XLA_FLAGS, number of threads). `compare` refuses a file whose
settings differ. It says of every row what became of its metrics, digest and predictions, and its exit status
is 1 if anything differs. Not stored in results/, because the bytes mean nothing elsewhere.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import math
import os
import platform
import sys
from pathlib import Path

import jax
import numpy as np
from small_problems import Case, every_case

import simdiff

TRIALS, SEED, TOLERANCE = 2, 3, 1e-12
COLUMNS = ("name", "dtype", "digest", "sha256", "metrics", "predictions", "settings")

csv.field_size_limit(2**24)


def row(case: Case, dtype: str) -> dict[str, str]:
    """One row of the table; JSON keeps every bit of a float."""
    trials = simdiff.simulate(case.problem, case.d, TRIALS, SEED, dtype)
    names = sorted(metric.name for metric in case.problem.metrics)
    columns = {name: np.ascontiguousarray(trials[name], "<f8") for name in names}
    content = hashlib.sha256(b"".join(column.tobytes() for column in columns.values())).hexdigest()
    metrics = {name: column.tolist() for name, column in columns.items()}
    values = (case.problem.digest(), content, json.dumps(metrics), json.dumps(predictions(case)), settings())
    return dict(zip(COLUMNS, (case.name, dtype, *values), strict=True))


def predictions(case: Case) -> dict[str, list[float]]:
    """{"theory metric at": values} of every theory, in the limit and at the size simulated."""
    places = (None, case.d) if case.finite else (None,)
    found = {}
    for theory, d in itertools.product(case.theories, places):
        for metric, value in simdiff.predict(case.problem, theory, d).items():
            found[f"{theory or 'own'} {metric} {d or 'limit'}"] = np.atleast_1d(value).tolist()
    return found


def settings() -> str:
    """What the bits depend on besides the code."""
    device = jax.devices()[0].device_kind
    used = {"machine": platform.machine(), "device": device, "devices": jax.device_count()}
    used |= {"cores": len(os.sched_getaffinity(0)), "jax": jax.__version__, "numpy": np.__version__}
    threads = {name: os.environ.get(name, "") for name in ("XLA_FLAGS", "OPENBLAS_NUM_THREADS")}
    return json.dumps(used | threads)


def deviation(before: str, now: str) -> float:
    """The largest relative deviation of two mappings of lists of floats; inf where their shapes differ."""
    old, new = json.loads(before), json.loads(now)
    if {name: len(values) for name, values in old.items()} != {name: len(v) for name, v in new.items()}:
        return math.inf
    pairs = ((x, y) for name in old for x, y in zip(old[name], new[name], strict=True))
    return max((relative(x, y) for x, y in pairs), default=0.0)


def relative(x: float, y: float) -> float:
    """|x - y| over the larger of the two; nan is nan's equal."""
    if x == y or (math.isnan(x) and math.isnan(y)):
        return 0.0
    off = abs(x - y) / max(abs(x), abs(y))
    return off if math.isfinite(off) else math.inf


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """What differs between two rows, in words; empty where nothing does."""
    found = []
    if before["sha256"] != now["sha256"]:
        found.append(f"metrics differ by {deviation(before['metrics'], now['metrics']):.1e}")
    if before["digest"] != now["digest"]:
        found.append(f"digest {before['digest']} is now {now['digest']}")
    if (off := deviation(before["predictions"], now["predictions"])) > TOLERANCE:
        found.append(f"predictions differ by {off:.1e}")
    return found


def compared(before: dict[str, str], case: Case, dtype: str) -> list[str]:
    """`differences` from the row computed now; an error is one, and does not stop the others."""
    try:
        return differences(before, row(case, dtype))
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def write(path: Path, chosen: list[tuple[Case, str]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for case, dtype in chosen:
            table.writerow(row(case, dtype))
            file.flush()


def compare(path: Path, chosen: list[tuple[Case, str]]) -> int:
    """Print a line for every row; the number of rows that differ."""
    with path.open(newline="") as file:
        stored = {(line["name"], line["dtype"]): line for line in csv.DictReader(file)}
    if other := {line["settings"] for line in stored.values()} - {settings()}:
        sys.exit(f"{path} was written with other settings: {other.pop()}, now {settings()}")
    missing = [key for key in stored if key not in {(case.name, dtype) for case, dtype in chosen}]
    bad = 0
    for case, dtype in chosen:
        before = stored.get((case.name, dtype))
        found = ["not in the file"] if before is None else compared(before, case, dtype)
        bad += bool(found)
        print(
            f"{case.name}, {dtype}: {'; '.join(found) or 'identical, predictions within 1e-12'}", flush=True
        )
    print(f"{len(chosen) - bad} of {len(chosen)} rows identical; rows of the file not run: {len(missing)}")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("write", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("words", nargs="*", help="only rows whose names contain one of these")
    given = parser.parse_args()
    chosen = [(c, kind) for c in every_case() if wanted(c.name, given.words) for kind in c.dtypes]
    return write(given.file, chosen) or 0 if given.verb == "write" else compare(given.file, chosen) > 0


def wanted(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    sys.exit(main())
