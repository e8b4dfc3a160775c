"""Jobs by submitit, on this machine or on SLURM, followed until the last of them has ended.

Hydra's own launchers ask SLURM's accounting, which not every cluster has, and give up at the first job that
is lost. These look at the queue, and a lost job is one line.
"""

from __future__ import annotations

import abc
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf, SlurmQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from omegaconf import OmegaConf
from submitit.core.utils import FailedSubmissionError, UncompletedJobError

from simdiff.errors import InputError

Jobs = Sequence[submitit.Job]

_SHORTEST, _LONGEST = 0.5, 15.0
"""Seconds between looks at the queue: a tenth of the time waited so far, within these."""

_LATE = 5.0
"""Seconds that a file may take to appear after its job has ended, on network file systems."""


def make(kind: str, fields: Mapping[str, Any], folder: Path, name: str) -> BaseSubmititLauncher:
    """The launcher "local" or "slurm".

    Raises:
        OmegaConfBaseException: a field that there is none of, or of the wrong kind.
    """
    schema, launcher = {"local": (LocalQueueConf, Local), "slurm": (SlurmQueueConf, Slurm)}[kind]
    fixed = {"submitit_folder": f"{folder.absolute()}/%j", "name": name}
    own = {key: value for key, value in fields.items() if key != "requeue"}
    merged = OmegaConf.merge(OmegaConf.structured(schema), own, fixed)
    whole = {str(key): value for key, value in merged.items() if key != "_target_"}
    if fields.get("requeue"):
        whole["additional_parameters"] = {**whole["additional_parameters"], "requeue": True}
    return launcher(**whole)


class Followed(BaseSubmititLauncher):
    """What both have in common."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit all jobs and wait until none is left; lost ones return FAILED.

        Raises:
            InputError: they cannot be submitted.
        """
        jobs = self._submit(job_overrides, initial_job_idx)
        try:
            self._follow(jobs)
        except KeyboardInterrupt:
            self._interrupted(jobs)
            raise
        deadline = time.monotonic() + _LATE
        said = [_outcome(job, deadline) for job in jobs]
        for job in jobs:  # all have ended: what is left is their logs
            job.paths.result_pickle.unlink(missing_ok=True)
            job.paths.submitted_pickle.unlink(missing_ok=True)
        return said

    def _submit(self, job_overrides: Sequence[Sequence[str]], first: int) -> Jobs:
        given = dict(self.params)
        limit = given.pop("max_num_timeout", None)
        limits = {} if limit is None else {f"{self._EXECUTOR}_max_num_timeout": limit}
        shared = OmegaConf.structured(LocalQueueConf).keys()
        try:
            executor = submitit.AutoExecutor(given.pop("submitit_folder"), cluster=self._EXECUTOR, **limits)
            executor.update_parameters(
                **{k if k in shared else f"{self._EXECUTOR}_{k}": v for k, v in given.items()}
            )
            calls = [
                (list(overrides), "hydra.sweep.dir", number, str(number), Singleton.get_state())
                for number, overrides in enumerate(job_overrides, first)
            ]
            jobs = executor.map_array(self, *zip(*calls, strict=True))
        except (RuntimeError, OSError, subprocess.SubprocessError, FailedSubmissionError) as error:
            said = " ".join(str(error).split())
            raise InputError(
                "launcher", self._EXECUTOR, "settings that this machine accepts", said
            ) from error
        print(f"{len(jobs)} jobs: {jobs[0].job_id} ... {jobs[-1].job_id}", file=sys.stderr, flush=True)
        return jobs

    def _follow(self, jobs: Jobs) -> None:
        begin, ended = time.monotonic(), 0
        while alive := self._alive(jobs):
            if (now := len(jobs) - len(alive)) > ended:
                print(f"{now} of {len(jobs)} jobs have ended", file=sys.stderr, flush=True)
                ended = now
            time.sleep(min(_LONGEST, max(_SHORTEST, (time.monotonic() - begin) / 10)))

    @abc.abstractmethod
    def _alive(self, jobs: Jobs) -> Jobs:
        """Those that have not ended."""

    @abc.abstractmethod
    def _interrupted(self, jobs: Jobs) -> None:
        """Say or do what becomes of the jobs when the command that waits for them is interrupted."""


class Local(Followed):
    """Processes of this machine."""

    _EXECUTOR = "local"

    def _alive(self, jobs: Jobs) -> Jobs:
        return [job for job in jobs if not job.done()]

    def _interrupted(self, jobs: Jobs) -> None:
        for job in self._alive(jobs):
            job.cancel(check=False)


class Slurm(Followed):
    """A SLURM array."""

    _EXECUTOR = "slurm"

    def _alive(self, jobs: Jobs) -> Jobs:
        """Those in the queue, where one that was signalled may be again; or those without a result."""
        command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return [job for job in jobs if not job.paths.result_pickle.exists()]
        queued = set(asked.stdout.split())
        return [job for job in jobs if job.job_id in queued]

    def _interrupted(self, jobs: Jobs) -> None:
        array = jobs[0].job_id.split("_")[0]
        print(f"\nthe jobs go on; scancel {array} stops them", file=sys.stderr, flush=True)


def _outcome(job: submitit.Job, deadline: float) -> JobReturn:
    """What a job that has ended returned; its file may appear until `deadline`."""
    while not (there := job.paths.result_pickle.exists()) and time.monotonic() < deadline:
        time.sleep(0.2)
    try:
        if there:
            return job.results()[0]
        reason = "cancelled or killed"
    except UncompletedJobError as error:
        lines = [line for line in str(error).splitlines() if line.strip("- ")]
        reason = next((line.strip() for line in reversed(lines[:-3]) if "Error" in line), lines[0])
    lost = JobReturn(status=JobStatus.FAILED)
    lost.return_value = f"job {job.job_id} {reason}; its log is {job.paths.stderr}"
    return lost
