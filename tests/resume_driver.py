"""Runs of one sweep in forked processes: `python resume_driver.py <kills> <words ...>`, in some folder.

Into `whole` runs an undisturbed process; into `killed` so many, one after another, that are killed with
SIGKILL, and one that may finish; into `shared` two at once; into `storm` four at once, each killed at random
moments and started again. What happened goes to stdout as JSON. The program is imported once; JAX starts in
each child.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from simdiff import cli


def start(words: list[str], out: str) -> int:
    child = os.fork()
    if child:
        return child
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 70
    try:
        status = cli.main([*words, f"out={out}"])
    finally:
        sys.stdout.flush()
        os._exit(status)


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def shards(out: str) -> int:
    return sum(1 for _ in Path(out).glob("trials/*/d*.parquet"))


def kill_one(words: list[str], moments: random.Random) -> int:
    """Start a process and kill it some files and a moment later; its exit status, -9 if it was hit."""
    wanted, pause = shards("killed") + moments.randint(0, 5), moments.uniform(0, 0.1)
    child = start(words, "killed")
    while shards("killed") < wanted:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return 0
        time.sleep(0.002)
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    return wait(child)


def storm(
    words: list[str], out: str, seconds: float, processes: int, most: int, moments: random.Random
) -> dict[str, int]:
    """For so long, keep so many processes at one folder; kill each when it has 1 to `most` files more.

    Returns how many died by SIGKILL, which is before they had finished, and how many finished; the storm ends
    early with the first of these. The last ones are killed, too.
    """
    counts, running = {"killed": 0, "finished": 0, "failed": 0}, dict[int, int]()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not counts["finished"]:
        there = shards(out)
        while len(running) < processes:
            running[start(words, out)] = there + moments.randint(1, most)
        for child, wanted in list(running.items()):
            if there >= wanted:
                time.sleep(moments.uniform(0, 0.02))
                os.kill(child, signal.SIGKILL)
            _reap(child, running, counts)
        time.sleep(0.005)
    for child in list(running):
        os.kill(child, signal.SIGKILL)
        _reap(child, running, counts, flags=0)
    return counts


def _reap(child: int, running: dict[int, int], counts: dict[str, int], flags: int = os.WNOHANG) -> None:
    """Count a child that has ended by how it did."""
    done, status = os.waitpid(child, flags)
    if done:
        del running[child]
        code = os.waitstatus_to_exitcode(status)
        counts[{-signal.SIGKILL: "killed", 0: "finished"}.get(code, "failed")] += 1


if __name__ == "__main__":
    kills, words, moments = int(sys.argv[1]), sys.argv[2:], random.Random(5)
    whole = wait(start(words, "whole"))
    killed = [kill_one(words, moments) for _ in range(kills)]
    finished = wait(start(words, "killed"))
    shared = [wait(child) for child in [start(words, "shared"), start(words, "shared")]]
    stormy = storm(words, "storm", 6.0, 4, 4, moments) | {"last": wait(start(words, "storm"))}
    happened = {"whole": whole, "killed": killed, "finished": finished, "shared": shared, "storm": stormy}
    json.dump(happened, sys.stdout)
