"""Points dealt out to the jobs of a SLURM array (submitit)."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simdiff.cli.launchers import Job, Launcher
from simdiff.parts.registry import register


@register("launcher", "slurm", additional_parameters={})
@dataclasses.dataclass(frozen=True)
class Slurm(Launcher):
    """A SLURM array; null leaves a choice to the cluster."""

    jobs: int = 16  # one that has several points takes them one after another
    array_parallelism: int = 256  # at most this many run at a time
    timeout_min: int = 240  # of one job
    signal_delay_s: int = (
        120  # before that, or before it is preempted, a job is told, and queues itself again
    )
    max_num_timeout: int = 3  # how often after running out of time; after preemption always
    requeue: bool = True  # queued again when its node fails
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    cpus_per_task: int | None = 4
    mem_gb: int | None = None
    gpus_per_node: int | None = None  # a job spreads its trials over them
    gres: str | None = None
    setup: list[str] | None = None  # shell commands before the job
    additional_parameters: dict[str, Any] = dataclasses.field(default_factory=dict)  # other options of sbatch

    needs = "submitit"
    elsewhere = True

    def launch(self, job: Job, shares: Sequence[Sequence[int]], folder: Path, name: str) -> list[str]:
        """Submit one array; its jobs go on if the command that waits for them is interrupted."""
        from simdiff.cli import submitted

        jobs = submitted.submit("slurm", {"name": name, **self.settings()}, folder, job, shares)
        try:
            return submitted.follow(jobs, lambda: _alive(jobs))
        except KeyboardInterrupt:
            array = jobs[0].job_id.split("_")[0]
            print(f"\nthe jobs go on; scancel {array} stops them", file=sys.stderr, flush=True)
            raise

    def settings(self) -> dict[str, Any]:
        """What submitit is told of the jobs, by its names."""
        own = dataclasses.asdict(self)
        del own["jobs"]
        if own.pop("requeue"):
            own["additional_parameters"] |= {"requeue": True}
        shared = ("timeout_min", "cpus_per_task", "mem_gb", "gpus_per_node")
        return {name if name in shared else f"slurm_{name}": value for name, value in own.items()}


def _alive(jobs: Sequence[Any]) -> list[Any]:
    """Those in the queue, where one that was signalled may be again; or those without a result.

    Submitit would ask SLURM's accounting, which not every cluster has.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return [job for job in jobs if not job.paths.result_pickle.exists()]
    queued = set(asked.stdout.split())
    return [job for job in jobs if job.job_id in queued]
