"""Processes that run trials on the host: each has one thread and one trial at a time.

A process that dies takes one trial with it, and another is started in its place. The problem travels by value
where it is the user's own (as cloudpickle does), so it may come from a script, a notebook or any file.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from simdiff.engine.host_worker import THREADS
from simdiff.errors import InputError
from simdiff.problem import Problem

CRASHED = "crashed"


class Job(NamedTuple):
    """A trial: its index, its size, and the words that seed its random numbers."""

    trial: int
    d: int
    words: list[int]


class Done(NamedTuple):
    """How a trial ended: `host_worker.outcome`, or a crash and how the process died."""

    trial: int
    kind: str
    found: Any
    seconds: float


class Worker:
    """A process, its connection, and the trial that it is at."""

    def __init__(self, problem: bytes) -> None:
        self.connection, there = multiprocessing.Pipe()
        words = [sys.executable, "-m", "simdiff.engine.host_worker", str(there.fileno())]
        self.process = subprocess.Popen(
            words, pass_fds=[there.fileno()], env=_environment(), stdin=subprocess.DEVNULL
        )
        there.close()
        self.connection.send_bytes(problem)
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        """Begin a trial."""
        self.job = job
        self.connection.send((job.d, job.words))

    def finish(self) -> Done:
        """The trial's end, once the connection has something or has ended."""
        assert self.job is not None
        trial, self.job = self.job.trial, None
        try:
            return Done(trial, *self.connection.recv())
        except (EOFError, ConnectionError):
            return Done(trial, CRASHED, death(self.process.wait()), 0.0)

    @property
    def alive(self) -> bool:
        """Whether it can be given another trial."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class HostPool:
    """Up to `count` processes for one problem; they are kept between calls."""

    def __init__(self, problem: Problem, count: int) -> None:
        self._problem, self._count = packed(problem), count
        self._workers: list[Worker] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """The trials' ends, as they come."""
        left = list(jobs)[::-1]
        busy: dict[Connection, Worker] = {}
        try:
            while left or busy:
                while left and len(busy) < self._count:
                    worker = self._free()
                    worker.start(left.pop())
                    busy[worker.connection] = worker
                for ready in wait(list(busy)):
                    yield busy.pop(ready).finish()  # type: ignore[call-overload]
        finally:
            for worker in busy.values():  # nobody waits for these trials any more
                worker.stop()

    def _free(self) -> Worker:
        """A process without a trial, started where there is none."""
        self._workers = [worker for worker in self._workers if worker.alive]
        for worker in self._workers:
            if worker.job is None:
                return worker
        self._workers.append(Worker(self._problem))
        return self._workers[-1]

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.stop()
        self._workers = []


def packed(problem: Problem) -> bytes:
    """The problem and the user's code in it, for another process.

    Raises:
        InputError: something in it cannot travel.
    """
    import cloudpickle

    own = {kind.__module__ for kind in type(problem).__mro__ if not _of_library(kind.__module__)}
    modules = [sys.modules[name] for name in own - {"__main__"} if name in sys.modules]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(problem)
    except Exception as error:
        allowed = "fields, and globals that trial_host uses, that can be pickled"
        raise InputError("problem", type(problem).__name__, allowed, f"{error}") from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _of_library(name: str) -> bool:
    root = sys.modules.get(name.partition(".")[0])
    return name.startswith(("simdiff.", "abc", "builtins")) or "site-packages" in str(
        getattr(root, "__file__", "")
    )


def _environment() -> dict[str, str]:
    """One thread each; modules are found where this process finds them, the working directory included."""
    path = os.pathsep.join([*filter(None, sys.path), os.getcwd()])
    return os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": path}


def death(code: int) -> str:
    """How a process died."""
    if code >= 0:
        return f"exit status {code}"
    known = -code in {*map(int, signal.Signals)}
    return signal.Signals(-code).name if known else f"signal {-code}"
