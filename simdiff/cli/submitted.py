"""Jobs by submitit, followed until the last of them has ended: a job that is lost is one line."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedSubmissionError, UncompletedJobError

from simdiff.cli.launchers import Job
from simdiff.errors import InputError

Jobs = Sequence[submitit.Job]

_SHORTEST, _LONGEST = 0.5, 15.0
"""Seconds between looks at the queue: a tenth of the time waited so far, within these."""

_LATE = 5.0
"""Seconds that a file may take to appear after its job has ended, on network file systems."""


@dataclasses.dataclass
class _Resumable(submitit.helpers.Checkpointable):
    """A job that is told that its time is up is queued again as it is: what it stored it will find."""

    job: Job

    def __call__(self, share: Sequence[int]) -> str:
        return self.job(share)


def submit(
    cluster: str, settings: Mapping[str, Any], folder: Path, job: Job, shares: Sequence[Sequence[int]]
) -> Jobs:
    """Submit a job of one process for each share.

    Args:
        cluster: "local" or "slurm".
        settings: of the jobs, by submitit's names.
        folder: where each job has a folder for its logs.
        job: what to run.
        shares: what each job is given.

    Raises:
        InputError: they cannot be submitted.
    """
    given = dict(settings)
    limits = {key: given.pop(key) for key in settings if key.endswith("max_num_timeout")}
    try:
        executor = submitit.AutoExecutor(f"{folder.absolute()}/%j", cluster=cluster, **limits)
        executor.update_parameters(nodes=1, tasks_per_node=1, **given)
        jobs = executor.map_array(_Resumable(job), shares)
    except (RuntimeError, OSError, subprocess.SubprocessError, FailedSubmissionError) as error:
        said = " ".join(str(error).split())
        raise InputError("launcher", cluster, "settings that this machine accepts", said) from error
    print(f"{len(jobs)} jobs: {jobs[0].job_id} ... {jobs[-1].job_id}", file=sys.stderr, flush=True)
    return jobs


def follow(jobs: Jobs, alive: Callable[[], Jobs]) -> list[str]:
    """Wait until none of the jobs is alive; what they had to say, lost ones included."""
    begin, ended = time.monotonic(), 0
    while left := alive():
        if (now := len(jobs) - len(left)) > ended:
            print(f"{now} of {len(jobs)} jobs have ended", file=sys.stderr, flush=True)
            ended = now
        time.sleep(min(_LONGEST, max(_SHORTEST, (time.monotonic() - begin) / 10)))
    deadline = time.monotonic() + _LATE
    said = [_outcome(job, deadline) for job in jobs]
    for job in jobs:  # what is left of them is their logs
        job.paths.result_pickle.unlink(missing_ok=True)
        job.paths.submitted_pickle.unlink(missing_ok=True)
    return said


def _outcome(job: submitit.Job, deadline: float) -> str:
    """What a job that has ended returned, or why it was lost; its file may appear until `deadline`."""
    while not (there := job.paths.result_pickle.exists()) and time.monotonic() < deadline:
        time.sleep(0.2)
    try:
        if there:
            return job.results()[0]
        reason = "cancelled or killed"
    except UncompletedJobError as error:
        lines = [line for line in str(error).splitlines() if line.strip("- ")]
        reason = next((line.strip() for line in reversed(lines[:-3]) if "Error" in line), lines[0])
    return f"job {job.job_id} {reason}; its log is {job.paths.stderr}"
