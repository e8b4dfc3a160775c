"""A process that writes into a run folder: `python store_writer.py loop|once <folder> <number>`."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

from store_rows import POINT, trial_rows

from simdiff.store import RunFolder

TIMES = (0.5, 1.0, 2.0)


def append_forever(folder: str) -> None:
    run = RunFolder(folder)
    for start in itertools.count(0, 2):
        trials = [t for t in (start, start + 1) if t not in run.finished(POINT, 100, 0)]
        if trials:
            run.append(trial_rows(trials, times=TIMES))
            run.write_table("summary", trial_rows(range(start + 2)))
            run.save_config(f"last: {start}")


def kill_at_random_moments(folder: str, kills: int) -> None:
    moments = random.Random(3)
    for _ in range(kills):
        before = count_shards(folder)
        child = os.fork()
        if child == 0:
            append_forever(folder)
        while count_shards(folder) == before:
            time.sleep(0.001)
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                sys.exit("a writer failed on what the ones before it left")
        time.sleep(moments.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def count_shards(folder: str) -> int:
    return sum(1 for _ in Path(folder, "trials").glob("*/d*.parquet"))


def write_once(folder: str, number: int) -> None:
    run = RunFolder(folder)
    for start in range(0, 40, 4):
        run.append(trial_rows(range(start, start + 4 + number), times=TIMES))
        run.write_table("summary", trial_rows(range(50)))
        run.write_text("report.md", f"{number}" * 1000)
        run.save_config(f"process: {number}\nstart: {start}\n")
        run.save_rule({"alpha": 0.05, "process": number}, [POINT])
        run.trials()


if __name__ == "__main__":
    job, place, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    Path(place).mkdir(exist_ok=True)
    {"loop": kill_at_random_moments, "once": write_once}[job](place, count)
