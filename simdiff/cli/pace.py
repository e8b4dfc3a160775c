"""How long trials take: what a progress bar learns from those that have run."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Hashable


@dataclasses.dataclass
class Pace:
    """Seconds per trial as a function of its cost, from batches that were timed.

    A trial takes an overhead and a time in proportion to its cost: the quickest trial seen tells the first,
    and the costliest one, with that taken off, the second. Small trials are all overhead, so the work done in
    the time so far would expect large ones to take hundreds of times too long. The first batch of a program
    waits for its compilation; later batches tell how long.
    """

    fastest: dict[Hashable, tuple[float, float]] = dataclasses.field(default_factory=dict)
    firsts: dict[Hashable, tuple[int, float]] = dataclasses.field(default_factory=dict)
    settled: set[Hashable] = dataclasses.field(default_factory=set)

    def learn(self, program: Hashable, cost: float, count: int, seconds: float) -> None:
        """A batch of `count` trials of one program took so long."""
        if program in self.firsts:
            self.settled.add(program)
        self.firsts.setdefault(program, (count, seconds))
        _, before = self.fastest.get(program, (cost, float("inf")))
        self.fastest[program] = cost, min(before, seconds / count)

    @property
    def known(self) -> bool:
        """Whether any batch was timed."""
        return bool(self.fastest)

    def rate(self) -> Callable[[float], float]:
        """Seconds that a trial takes as a function of its cost; nan if only cheaper ones have been seen."""
        seen = self._seen()
        least, overhead = min(seen, key=lambda one: one[1])
        most, slow = max(seen)
        if most == least:
            return lambda cost: overhead if cost <= least else math.nan
        slope = (slow - overhead) / (most - least)
        return lambda cost: overhead + slope * max(0.0, cost - least)

    def _seen(self) -> list[tuple[float, float]]:
        """(cost, seconds) of trials of programs with several batches; of one more where these tell no slope.

        The only batch of a program counts with what others were waited for taken off.
        """
        settled = [self.fastest[program] for program in self.settled]
        if not settled or max(settled)[0] > min(settled)[0]:
            return settled or list(self.fastest.values())
        cost, (count, seconds) = max(
            (self.fastest[program][0], first) for program, first in self.firsts.items()
        )
        beyond = cost, max(settled[0][1], (seconds - self.programs(1)) / count)
        return [*settled, beyond] if cost > settled[0][0] else settled

    def programs(self, count: int) -> float:
        """Seconds that further programs will be waited for."""
        waits = [
            max(0.0, seconds - trials * self.fastest[program][1])
            for program, (trials, seconds) in self.firsts.items()
            if program in self.settled
        ]
        return count * statistics.median(waits) if waits else 0.0
