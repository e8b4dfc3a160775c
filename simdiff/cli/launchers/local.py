"""Points dealt out to jobs on this machine (submitit), each with a log in the run folder's jobs/."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from simdiff.cli.launchers import Job, Launcher
from simdiff.parts.registry import register


@register("launcher", "local")
@dataclasses.dataclass(frozen=True)
class Local(Launcher):
    """Processes that all start at once, and end with the command."""

    jobs: int = 2
    timeout_min: int = 10080  # a job that takes longer is stopped and started again where it was
    gpus_per_node: int | None = None  # this many GPUs, the first ones for every job; null: none

    needs = "submitit"

    def launch(self, job: Job, shares: Sequence[Sequence[int]], folder: Path, name: str) -> list[str]:
        """Start a process for each share."""
        from simdiff.cli import submitted

        settings = {"name": name, "timeout_min": self.timeout_min, "gpus_per_node": self.gpus_per_node}
        jobs = submitted.submit("local", settings, folder, job, shares)
        try:
            return submitted.follow(jobs, lambda: [job for job in jobs if not job.done()])
        except KeyboardInterrupt:
            for running in jobs:
                running.cancel(check=False)
            raise
