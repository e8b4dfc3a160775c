"""The trial loop: run trials of one problem at one size, and give back one row per trial (and time).

Trials run in batches of a fixed grid, [0, B), [B, 2B), ..., so that a run that was interrupted and
started again forms the same batches and, on the same device, the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Hashable, Iterable, Iterator

import pandas as pd

from simdiff.engine import groups
from simdiff.engine.batch_program import BatchProgram, Replanned
from simdiff.engine.checkpoints import Keeper, slot
from simdiff.engine.compilation import shapes
from simdiff.engine.devices import check_memory, describe, devices_for, in_use, one_lapack_thread
from simdiff.engine.host_trials import run_host_trials
from simdiff.engine.keys import trial_keys
from simdiff.engine.rows import rows
from simdiff.engine.session import SESSION, Session
from simdiff.engine.staged_program import StagedProgram, runs_in_windows
from simdiff.parts.jax_settings import pinned, with_pinned_settings
from simdiff.parts.program_cache import keep_programs
from simdiff.problem import Problem


def batch_size(problem: Problem, d: int) -> int:
    """Trials a batch, a power of two: small enough that an interruption costs little.

    Eight, unless a trial is so small that starting a batch and storing its rows, some 20 ms, would cost as
    much as its trials (up to 64), or so large that a batch would run for long (down to 1).
    """
    return _together(problem, d, _SMALL_BATCH, 8)


def stage_size(problem: Problem, d: int) -> int:
    """Trials to ask for at least: fewer take hardly less time, and may make one more stage necessary."""
    return _together(problem, d, _SMALL_STAGE, 4)


def _together(problem: Problem, d: int, small: float, usual: int) -> int:
    flops = max(problem.padded_cost(d), 1.0)
    if flops > _LARGE_TRIAL:
        return 2 ** max(0, int(math.log2(usual * _LARGE_TRIAL / flops)))
    return max(usual, 2 ** min(6, int(math.log2(max(1.0, small / flops)))))


_LARGE_TRIAL = 1e11
_SMALL_BATCH, _SMALL_STAGE = 1e10, 1e9
"""Flops that take some 100 and 10 ms on two cores."""


def trials_per_call(problem: Problem, d: int, session: Session = SESSION) -> int:
    """Trials started together: a batch, rounded up to a multiple of the groups of devices.

    How many trials a run asks for is decided in batches, which know of no devices; so a folder written
    with some devices is continued, and read, with any others.
    """
    groups = len(devices_for(problem, d, session)) // trial_group(problem, d, session).devices
    return -(-batch_size(problem, d) // groups) * groups


def trial_group(problem: Problem, d: int, session: Session = SESSION) -> groups.Group:
    """The devices that work on one trial."""
    return groups.group(problem, d, batch_size(problem, d), session)


def batches(problem: Problem, d: int, trials: Iterable[int], session: Session = SESSION) -> list[list[int]]:
    """The wanted trials, cut along the fixed grid of launches."""
    return _cut(trials, trials_per_call(problem, d, session))


def _cut(trials: Iterable[int], size: int) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for trial in sorted(set(trials)):
        groups.setdefault(trial // size, []).append(trial)
    return list(groups.values())


@with_pinned_settings
def prepare(
    problem: Problem, d: int, seed: int, dtype: str = "auto", session: Session = SESSION
) -> BatchProgram | None:
    """Compile the program of this problem and size; cheap when that has been done.

    Returns:
        A function of (keys, inputs) for `trials_per_call` keys; None for trials on the host.

    Raises:
        InputError: one trial does not fit in memory.
    """
    keep_programs()
    check_memory(problem, d, session=session)
    if problem.on_host:
        return None
    size = trials_per_call(problem, d, session)
    kernel, inputs = problem.kernel(d, dtype)
    group = trial_group(problem, d, session)
    in_windows = group.devices == 1 and runs_in_windows(problem, d, kernel, session)
    kind = StagedProgram if in_windows else BatchProgram
    program = kind(problem, d, dtype, size, group, session)
    try:
        program.compile(trial_keys(problem, d, seed, range(size)), inputs)
    except Replanned:
        return prepare(problem, d, seed, dtype, session)
    return program


def program_key(problem: Problem, d: int, dtype: str = "auto", session: Session = SESSION) -> Hashable:
    """Equal where `prepare` compiles one program for both; None for trials on the host."""
    if problem.on_host:
        return None
    kernel, inputs = problem.kernel(d, dtype)
    together = trials_per_call(problem, d, session), trial_group(problem, d, session)
    return kernel, *shapes(inputs), *together


def run_trials(
    problem: Problem,
    d: int,
    seed: int,
    trials: Iterable[int],
    dtype: str = "auto",
    session: Session = SESSION,
    keeper: Keeper | None = None,
) -> Iterator[pd.DataFrame]:
    """Rows of the given trials, one frame per batch as it comes.

    Columns: point, d, trial, seed, [time], status, the metrics, duration (seconds per trial), device,
    platform, dtype. A row with a non-finite metric has the status `problem.failures`, "non-finite" by
    default; nothing is dropped.

    `keeper` keeps the state of trials that take long, until their rows have been taken.
    """
    if problem.on_host:
        yield from run_host_trials(problem, d, seed, trials, session)
        return
    left = set(trials)
    while left:
        try:
            for frame in _until_replanned(problem, d, seed, left, dtype, session, keeper):
                yield frame
                left -= set(frame["trial"])
        except Replanned:
            session.ready.clear()


def _until_replanned(
    problem: Problem,
    d: int,
    seed: int,
    trials: Collection[int],
    dtype: str,
    session: Session,
    keeper: Keeper | None,
) -> Iterator[pd.DataFrame]:
    """The rows of `run_trials`, until trials are planned anew."""
    program = _ready(problem, d, seed, dtype, session)
    with pinned():
        _, inputs = problem.kernel(d, dtype)
    for wanted in _cut(trials, program.size):
        begin = wanted[0] // program.size * program.size
        span, order = (wanted[0] - begin, wanted[-1] - begin + 1), (begin + program.order).tolist()
        within = range(wanted[0], wanted[-1] + 1)
        place = slot(keeper, problem, d, seed, within, order, dtype, program.devices)
        with pinned(), one_lapack_thread(session):
            arguments = program.placed(trial_keys(problem, d, seed, order), inputs)
            inputs = arguments[1]  # on the devices from now on
            start = time.perf_counter()
            metrics = program(*arguments, span, place)
            seconds = (place.seconds + time.perf_counter() - start) / (span[1] - span[0])
        at = [order.index(trial) for trial in wanted]
        about = {"duration": seconds, "device": describe(program.devices)}
        about |= {"platform": program.devices[0].platform, "dtype": problem.arithmetic(dtype)}
        yield rows(problem, d, seed, wanted, {name: found[at] for name, found in metrics.items()}, about)
        place.drop()


def _ready(problem: Problem, d: int, seed: int, dtype: str, session: Session) -> BatchProgram:
    """What `prepare` gives, which is asked once while a problem is the same object and the same problem."""
    plan = problem.digest(), d, dtype, in_use(session), session.checkpoint
    held, program = session.ready.get(plan, (None, None))
    if held is not problem:
        program = prepare(problem, d, seed, dtype, session)
        session.keep_ready(plan, (problem, program))
    assert program is not None
    return program
