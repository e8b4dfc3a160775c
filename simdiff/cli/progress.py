"""Progress of a run on the terminal."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from simdiff.validation.study import Progress as Callback
from simdiff.validation.study import Study


class RunProgress:
    """One bar for a whole run, in units of work: trials weighted by what one costs.

    The total is a plan that changes: each point starts with its pilot trials and grows when its
    standard errors ask for more. Points that have not started are assumed to grow like those before
    them. The time left follows from the speed of this process; trials found in the store cost nothing.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        self._studies = studies
        self._current = 0
        self._wanted = [dict.fromkeys(study.sizes, study.rule.min_trials) for study in studies]
        self._pilots = [self._work(i) for i in range(len(studies))]
        self._done = 0.0
        self._fresh = 0.0
        self._last: dict[tuple[int, int], tuple[int, int]] = {}
        self._start = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=self._total(), left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def of(self, number: int) -> Callback:
        """The callback of the number-th point, which is about to start."""
        self._current = number
        if self._bar.disable:
            text = f"point {number + 1}/{len(self._studies)} {self._left()}"
            print(text.rstrip(), file=sys.stderr, flush=True)

        def update(d: int, finished: int, wanted: int) -> None:
            self._count(d, finished, wanted)
            text = f"point {number + 1}/{len(self._studies)}, d = {d}, trial {finished}/{wanted}"
            total = max(self._total(), self._done)
            self._bar.update(
                self._task, description=text, total=total, completed=self._done, left=self._left()
            )

        return update

    def _count(self, d: int, finished: int, wanted: int) -> None:
        """Add the trials that are new; the first report of a stage tells those found in the store."""
        key = (self._current, d)
        before, stage = self._last.get(key, (0, -1))
        self._last[key] = (finished, wanted)
        self._wanted[self._current][d] = wanted
        work = (finished - before) * self._studies[self._current].problem.cost(d)
        self._done += work
        self._fresh += work if stage == wanted else 0.0

    def _work(self, number: int) -> float:
        problem = self._studies[number].problem
        return sum(problem.cost(d) * count for d, count in self._wanted[number].items())

    def _total(self) -> float:
        """The work of all points as far as it is known."""
        started = self._current + 1
        known = sum(self._work(i) for i in range(started))
        before, pilots = known - self._work(self._current), sum(self._pilots[: self._current])
        growth = before / pilots if pilots else 1.0
        return known + growth * sum(self._pilots[started:])

    def _left(self) -> str:
        if not self._fresh:
            return ""
        elapsed = time.monotonic() - self._start
        left = elapsed * max(0.0, self._total() - self._done) / self._fresh
        return f"{datetime.timedelta(seconds=round(left))} left"
