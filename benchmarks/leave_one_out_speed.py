"""Seconds of leave-one-out theory on a large data set: d = 784, 10,000 images, five values of N/d.

    python benchmarks/leave_one_out_speed.py           # 28 x 28 patches of photographs, 10,208 of them
    python benchmarks/leave_one_out_speed.py FILE      # images of your own

Linear denoisers, ridge 0.01, t = 0.1, noise average exact: test and train errors, the term of
order 1/N included. The equation is solved for one number per image, by Anderson's method; a round is two
products of the images with a d x d matrix. Loading the images and their eigenbasis is a row of its own.
`cpu_seconds` are those of all threads, which a machine with other work on it changes less than `seconds`.
Stored in results/leave_one_out_speed.csv.
"""

from __future__ import annotations

import math
import sys
import time

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import Images, Patches
from simdiff.trainers import Ridge

RATIOS = (0.5, 1.0, 2.0, 4.0, 8.0)


def main(paths: list[str]) -> None:
    """Measure and store."""
    start = time.perf_counter()
    law = Images(paths[0]) if paths else Patches(28, stride=7)
    rows = [{"what": "images and eigenbasis", "seconds": time.perf_counter() - start}]
    for psi_n in RATIOS:
        start, work = time.perf_counter(), time.process_time()
        problem = simdiff.DenoisingScoreMatching(
            law, simdiff.models.Linear(), Ridge(0.01), psi_n, math.inf, 0.1
        )
        found = simdiff.predict(problem)
        row = {"what": f"N/d = {psi_n:g}", "seconds": time.perf_counter() - start}
        row["cpu_seconds"] = time.process_time() - work
        rows.append(row | {"test": found["test"], "train": found["train"]})
        print(rows[-1], flush=True)
    total = {name: sum(row[name] for row in rows[1:]) for name in ("seconds", "cpu_seconds")}
    rows.append({"what": "five values of N/d"} | total)
    about = {"d": law.only_size, "images": law.count}
    command = "python benchmarks/leave_one_out_speed.py" + " FILE" * bool(paths)
    store("leave_one_out_speed", pd.DataFrame(rows), facts(command, **about))


if __name__ == "__main__":
    main(sys.argv[1:])
