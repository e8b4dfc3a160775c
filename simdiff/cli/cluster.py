"""A sweep in many jobs, all of which write to one run folder.

The command that starts them checks everything, fixes the rules, deals out the points that lack trials, waits,
and writes the report. A job only adds trials. Whatever ends it early costs the trials of one batch: the next
job with the same point, or the same one queued again, goes on behind the last that was stored.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from simdiff.cli import commands
from simdiff.cli.commands import Plan
from simdiff.cli.compose import make_plan
from simdiff.cli.launchers import make_launcher
from simdiff.errors import InputError
from simdiff.store import RunFolder, iso_date
from simdiff.validation.study import Study, replay

Words = tuple[Sequence[str], bool, str]
"""The arguments of `make_plan`."""


def run(plan: Plan, words: Words) -> int:
    """Simulate what is missing with the plan's launcher, then write tables, report and figures.

    Returns:
        The exit status: 1 if trials are missing still.

    Raises:
        InputError: as `commands.run`, or the launcher cannot be used.
    """
    launcher = make_launcher(plan.launcher)
    # Numbers of jobs come round again, on this machine at least: every command has a folder of its own.
    logs = Path(str(plan.setting("out"))) / "jobs" / iso_date().replace(":", "")
    studies, folder = commands.prepare(plan, here=not launcher.elsewhere)
    said: list[str] = []
    if shares := deal(studies, folder, launcher.jobs):
        job, name = functools.partial(work, words), f"simdiff-{plan.setting('name')}"
        said = launcher.launch(job, shares, logs, name)
    lacking = commands.conclude(plan, studies.values(), folder)
    for line in dict.fromkeys(filter(None, said)):
        print("simdiff:", " ".join(line.split()), file=sys.stderr)
    return int(lacking > 0)


def deal(studies: Mapping[int, Study], folder: RunFolder, jobs: int) -> list[list[int]]:
    """Numbers of the points that lack trials in at most `jobs` shares, the dearest points first."""
    lacking = [number for number, study in studies.items() if replay(study, folder).lacking]
    costs = {number: sum(map(studies[number].problem.cost, studies[number].sizes)) for number in lacking}
    order = sorted(lacking, key=lambda number: -costs[number])
    return [order[first::jobs] for first in range(min(jobs, len(order)))]


def work(words: Words, numbers: Sequence[int]) -> str:
    """Run the trials that points of these numbers lack: what a job does.

    Returns:
        One line on what went wrong, or "".
    """
    try:
        commands.simulate(make_plan(*words).only(numbers))
    except InputError as error:
        return str(error)
    except Exception as error:  # the log has it all, the command that waits gets a line
        traceback.print_exc()
        return f"a job failed: {type(error).__name__}: {error}"
    return ""
