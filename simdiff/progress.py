"""Progress of a run on the terminal, and compilation a step ahead of the trials."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from simdiff import engine
from simdiff.collect import Progress as Callback
from simdiff.collect import Study


class RunProgress:
    """One bar for a whole run, in units of work: trials weighted by what one costs.

    The total is a plan that changes: each point starts with its pilot trials and grows when its
    standard errors ask for more.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        self._studies = studies
        self._wanted = [dict.fromkeys(study.sizes, study.rule.min_trials) for study in studies]
        self._done = [dict.fromkeys(study.sizes, 0) for study in studies]
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=self._work(self._wanted))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def of(self, number: int) -> Callback:
        """The callback of the number-th point."""

        def update(d: int, finished: int, wanted: int) -> None:
            self._done[number][d], self._wanted[number][d] = finished, wanted
            text = f"point {number + 1}/{len(self._studies)}, d = {d}, trial {finished}/{wanted}"
            total, done = self._work(self._wanted), self._work(self._done)
            self._bar.update(self._task, description=text, total=max(total, done), completed=done)
            if self._bar.disable and finished == wanted:
                print(text, file=sys.stderr, flush=True)

        return update

    def _work(self, counts: Sequence[dict[int, int]]) -> float:
        pairs = zip(self._studies, counts, strict=True)
        return sum(study.problem.cost(d) * n for study, sizes in pairs for d, n in sizes.items())


@contextlib.contextmanager
def compile_ahead(studies: Sequence[Study]) -> Iterator[None]:
    """Compile the programs of later points while earlier ones run."""
    stop = threading.Event()

    def work() -> None:
        for study in studies:
            for d in study.sizes:
                if stop.is_set():
                    return
                with contextlib.suppress(Exception):  # the run itself meets the same error and reports it
                    engine.prepare(study.problem, d, study.seed, study.dtype)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
