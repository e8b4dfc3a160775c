"""Points dealt out to worker processes of this machine (joblib)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from simdiff.cli.launchers import Job, Launcher
from simdiff.parts.registry import register


@register("launcher", "joblib")
@dataclasses.dataclass(frozen=True)
class Joblib(Launcher):
    """As many processes as jobs, which end with the command."""

    jobs: int = 2

    def launch(self, job: Job, shares: Sequence[Sequence[int]], folder: Path, name: str) -> list[str]:
        """Run each share in a process; if one of them is killed, all end."""
        import joblib

        try:
            return joblib.Parallel(self.jobs, backend="loky")(map(joblib.delayed(job), shares))
        except BrokenProcessPool as error:
            return [f"a worker process was killed: {error}"]
