"""Runs of one sweep in forked processes, in some folder: `python resume_driver.py PART FUSES WORDS ...`.

Into `whole` runs an undisturbed process. Part `alone`: into `killed` one after another that dies by SIGKILL
for each of the fuses (a JSON list), and one that may finish. Part `crowd`: into `shared` two at once; into
`storm` four at once, each killed and started again. What happened goes to stdout as JSON. The program is
imported once; JAX starts in each child.

A process dies right before a drawn one of its operations on files of the run folder, and not at a drawn time:
between two operations a death leaves the same files wherever it falls, and how fast the machine is cannot
decide whether it falls at all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from simdiff.cli import main as cli

OPERATIONS = ("open", "os.mkdir", "os.rename", "os.link", "os.remove")


def start(words: list[str], out: str, fuse: int = 0) -> int:
    """Fork a process that runs `words` in the folder `out`; before its operation `fuse` there, it dies."""
    child = os.fork()
    if child:
        return child
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 70
    try:
        if fuse:
            light(fuse, os.path.realpath(out))
        status = cli.main([*words, f"out={out}"])
    finally:
        sys.stdout.flush()
        os._exit(status)


def light(fuse: int, folder: str) -> None:
    """Kill this process before its operation number `fuse` on what lies in `folder`."""
    left = fuse

    def count(event: str, arguments: tuple) -> None:
        nonlocal left
        if event in OPERATIONS and isinstance(arguments[0], str | os.PathLike):
            left -= os.path.realpath(arguments[0]).startswith(folder)
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def shards(out: str) -> int:
    return sum(1 for _ in Path(out).glob("trials/*/d*.parquet"))


def storm(
    words: list[str], out: str, seconds: float, processes: int, most: int, moments: random.Random
) -> dict[str, int]:
    """For so long, keep so many processes at one folder; each dies before one of its first `most` operations.

    Returns how many died by SIGKILL, which is before they had finished, and how many finished; the storm ends
    early with the first of these. The last ones are killed wherever they are.
    """
    counts, running = {"killed": 0, "finished": 0, "failed": 0}, set[int]()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not counts["finished"]:
        while len(running) < processes:
            running.add(start(words, out, moments.randint(1, most)))
        for child in list(running):
            _reap(child, running, counts)
        time.sleep(0.005)
    for child in list(running):
        os.kill(child, signal.SIGKILL)
        _reap(child, running, counts, flags=0)
    return counts


def _reap(child: int, running: set[int], counts: dict[str, int], flags: int = os.WNOHANG) -> None:
    """Count a child that has ended by how it did."""
    done, status = os.waitpid(child, flags)
    if done:
        running.remove(child)
        code = os.waitstatus_to_exitcode(status)
        counts[{-signal.SIGKILL: "killed", 0: "finished"}.get(code, "failed")] += 1


def alone(words: list[str], fuses: list[int]) -> dict[str, object]:
    killed = [{"status": wait(start(words, "killed", fuse)), "files": shards("killed")} for fuse in fuses]
    return {"killed": killed, "finished": wait(start(words, "killed"))}


def crowd(words: list[str], fuses: list[int]) -> dict[str, object]:
    shared = [wait(child) for child in [start(words, "shared"), start(words, "shared")]]
    stormy = storm(words, "storm", 6.0, 4, max(fuses), random.Random(5))
    return {"shared": shared, "storm": stormy | {"last": wait(start(words, "storm"))}}


if __name__ == "__main__":
    part, fuses, words = {"alone": alone, "crowd": crowd}[sys.argv[1]], json.loads(sys.argv[2]), sys.argv[3:]
    json.dump({"whole": wait(start(words, "whole"))} | part(words, fuses), sys.stdout)
