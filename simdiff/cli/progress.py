"""Progress of a run on the terminal."""

from __future__ import annotations

import contextlib
import datetime
import math
import sys
import time
from collections.abc import Hashable, Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from simdiff.cli.pace import Pace
from simdiff.engine import program_key
from simdiff.report.figures import Told, unheard
from simdiff.validation.study import Progress as Callback
from simdiff.validation.study import Study


class RunProgress:
    """One bar for a whole run, in units of work: trials weighted by what one costs.

    The total is a plan that changes: each point starts with its pilot trials and grows when its
    standard errors ask for more. Points that have not started are assumed to grow like those before
    them. The time left follows from the pace of this process (`Pace`); trials found in the store cost
    nothing.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        self._studies = studies
        self._current = 0
        self._costs = [{d: study.problem.padded_cost(d) for d in study.sizes} for study in studies]
        self._wanted = [{d: study.rule.pilot(d) for d in study.sizes} for study in studies]
        self._pilots = [self._work(i) for i in range(len(studies))]
        self._done = 0.0
        self._pace = Pace()
        self._numbers: dict[Hashable, int] = {}
        self._programs: dict[tuple[int, int], int] = {}
        self._last: dict[tuple[int, int], tuple[int, int]] = {}
        self._moment = time.monotonic()
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
        if kind is None:
            self._bar.update(self._task, left="")
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
        key = self._current, d
        before, stage = self._last.get(key, (0, -1))
        self._last[key] = (finished, wanted)
        self._wanted[self._current][d] = wanted
        cost, count, now = self._costs[self._current][d], finished - before, time.monotonic()
        self._done += count * cost
        if stage == wanted and count > 0:
            self._pace.learn(self._program(d), cost, count, now - self._moment)
        self._moment = now

    def _program(self, d: int) -> int:
        """A number that points have in common that wait for one compilation between them."""
        at = self._current, d
        if at not in self._programs:
            study = self._studies[self._current]
            key = program_key(study.problem, d, study.dtype) or at
            self._programs[at] = self._numbers.setdefault(key, len(self._numbers))
        return self._programs[at]

    def _work(self, number: int) -> float:
        return sum(self._costs[number][d] * count for d, count in self._wanted[number].items())

    def _total(self) -> float:
        """The work of all points as far as it is known."""
        started = self._current + 1
        known = sum(self._work(i) for i in range(started))
        return known + self._growth() * sum(self._pilots[started:])

    def _growth(self) -> float:
        """How many times its pilot's work a point was found to need."""
        before, pilots = sum(map(self._work, range(self._current))), sum(self._pilots[: self._current])
        return before / pilots if pilots else 1.0

    def _left(self) -> str:
        seconds = self._seconds_left() if self._pace.known else math.nan
        return "" if math.isnan(seconds) else f"{datetime.timedelta(seconds=round(seconds))} left"

    def _seconds_left(self) -> float:
        """Of this point and later ones, with their programs; each grows as the points before it did."""
        later, growth, rate = range(self._current, len(self._studies)), self._growth(), self._pace.rate()
        seconds = self._pace.programs(sum(len(self._studies[i].sizes) for i in later[1:]))
        for i in later:
            for d, wanted in self._wanted[i].items():
                expected = max(wanted, growth * self._studies[i].rule.pilot(d))
                count = expected - self._last.get((i, d), (0, 0))[0]
                seconds += count * rate(self._costs[i][d]) if count > 0 else 0.0
        return seconds


@contextlib.contextmanager
def stages() -> Iterator[Told]:
    """Says on the terminal what is being done after the last trial."""
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield unheard
        return
    with console.status("judging") as status:
        yield status.update
