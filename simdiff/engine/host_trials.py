"""Trials that the user's problem runs on the host (`Problem.trial_host`): the same rows as any other.

A trial's generator is seeded by (problem, d, seed, index) alone, so it does not matter in which process,
order or run it takes place. One that raises, or whose process dies, is a row of nan with a status that says
so.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simdiff.engine.cores import available_cores
from simdiff.engine.host_memory import available
from simdiff.engine.host_pool import CRASHED, Done, HostPool, Job
from simdiff.engine.host_worker import RAISED, RETURNED
from simdiff.engine.keys import check_seed
from simdiff.engine.rows import rows
from simdiff.engine.session import Session
from simdiff.errors import InputError
from simdiff.problem import Problem

_SHARE = 0.8
"""Share of the free memory that trials may plan for."""

_PATIENCE = 1.0
"""Seconds that finished trials wait for others before their rows are handed on, and stored."""


def run_host_trials(
    problem: Problem, d: int, seed: int, trials: Iterable[int], session: Session
) -> Iterator[pd.DataFrame]:
    """Rows of the given trials, in frames of those that ended at about the same time.

    Raises:
        InputError: a trial returns something else than its metrics.
    """
    pool, finished, since = _pool(problem, d, session), list[Done](), time.monotonic()
    jobs = [Job(trial, d, seed_words(problem, d, seed, trial)) for trial in sorted(set(trials))]
    left = len(jobs)
    for done in pool.run(jobs):
        finished.append(done)
        left -= 1
        if not left or time.monotonic() - since > _PATIENCE:
            yield _frame(problem, d, seed, finished)
            finished, since = [], time.monotonic()


def seed_words(problem: Problem, d: int, seed: int, trial: int) -> list[int]:
    """What seeds the generator of a trial: `default_rng(SeedSequence(words))`."""
    digest = int(problem.stream(), 16)
    return [digest >> 32, digest & 0xFFFFFFFF, d, check_seed(seed), trial]


def _pool(problem: Problem, d: int, session: Session) -> HostPool:
    """The processes of this problem; those of another one are ended."""
    key = problem.digest(), _processes(problem, d, session)
    if key not in session.pools:
        for pool in session.pools.values():
            pool.close()
        session.pools.clear()
        session.pools[key] = HostPool(problem, key[1])
    return session.pools[key]


def _processes(problem: Problem, d: int, session: Session) -> int:
    """One for each core, or what the problem says; as many as there is memory for."""
    wanted = problem.processes or session.devices or available_cores()
    return max(1, min(wanted, int(_SHARE * available() / max(1, problem.memory(d)))))


def _frame(problem: Problem, d: int, seed: int, finished: list[Done]) -> pd.DataFrame:
    finished = sorted(finished, key=lambda done: done.trial)
    found = [_metrics(problem, done) for done in finished]
    metrics = {m.name: np.stack([each[m.name] for each in found]) for m in problem.metrics}
    about = {"device": platform.machine(), "platform": "cpu", "dtype": problem.arithmetic()}
    frame = rows(problem, d, seed, [done.trial for done in finished], metrics, about)
    repeats = len(frame) // len(finished)
    for name, values in {"duration": [done.seconds for done in finished], "failed": _told(finished)}.items():
        frame[name] = np.repeat(np.asarray(values, object if name == "failed" else float), repeats)
    frame["status"] = frame["failed"].where(frame["failed"] != "", frame["status"])
    return frame.drop(columns="failed")


def _told(finished: list[Done]) -> list[str]:
    """What the status says of trials that gave nothing; "" of others."""
    said = {RAISED: "failed: {}", CRASHED: "crashed: {}"}
    return [said[done.kind].format(done.found) if done.kind in said else "" for done in finished]


def _metrics(problem: Problem, done: Done) -> Mapping[str, Any]:
    """{metric: number, or one for each time}; nan where the trial gave nothing."""
    shape = () if problem.times is None else (len(problem.times),)
    names, owner = [metric.name for metric in problem.metrics], f"{type(problem).__name__}.trial_host"
    if done.kind in (RAISED, CRASHED):
        return {name: np.full(shape, np.nan) for name in names}
    if done.kind != RETURNED:
        raise InputError(owner, f"a {done.found}", "a mapping {metric: number}", "what the trial returned")
    if {*done.found} != {*names}:
        raise InputError(owner, sorted(done.found), f"{sorted(names)}", "trial_host() and metrics disagree")
    for name, value in done.found.items():
        if value.shape != shape:
            raise InputError(f"{owner}[{name!r}]", value.shape, f"shape {shape}")
    return done.found
