"""A process that runs trials on the host, one after the other: `python -m simdiff.engine.host_worker FD`.

It talks to the process that started it over one connection: first the problem comes, then the trials, each
with its seed; for each it sends what the trial returned, or what it raised. It ends when the connection does.
What the user's code prints goes to standard error, and interruptions are for the process that started it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that say how many threads libraries start; they are read when a library is loaded."""

RETURNED, RAISED, WRONG = "returned", "raised", "wrong"


def serve(connection: Any) -> None:
    """Answer until the connection ends."""
    try:
        problem = pickle.loads(connection.recv_bytes())
        while True:
            d, words = connection.recv()
            connection.send(outcome(problem, d, words))
    except EOFError:
        return


def outcome(problem: Any, d: int, words: list[int]) -> tuple[str, Any, float]:
    """(kind, metrics or a text, seconds) of one trial."""
    start = time.perf_counter()
    rng = np.random.default_rng(np.random.SeedSequence(words))
    try:
        found = problem.trial_host(rng, d)
    except Exception as error:
        return RAISED, place(error), time.perf_counter() - start
    seconds = time.perf_counter() - start
    try:
        return RETURNED, {str(k): np.asarray(v, np.float64) for k, v in found.items()}, seconds
    except (AttributeError, TypeError, ValueError):
        return WRONG, type(found).__name__, seconds


def place(error: Exception) -> str:
    """One line, as "ValueError: what it says (file.py, line 3)"."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200] + where


def main(descriptor: int) -> None:
    """Serve the connection of this file descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)
    serve(Connection(descriptor))


if __name__ == "__main__":
    main(int(sys.argv[1]))
