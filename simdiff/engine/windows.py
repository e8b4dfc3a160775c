"""How many steps a window has, and when the state after one is to be kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_MOST_GROWTH = 4.0
"""Of a window over the one before it: what a window has to do beside its steps counts for less and less."""

_T = TypeVar("_T")


class Windows:
    """Windows that come to take `period` seconds each, and a look at the clock after each.

    Attributes:
        steps: of the next window.
        spent: seconds since the first one began.
    """

    def __init__(self, period: float, first: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._period, self._clock = period, clock
        self._start = self._kept = clock()
        self.steps, self.spent = max(1, first), 0.0

    def timed(self, run: Callable[[], _T]) -> _T:
        """Run a window of `steps`, and plan the next one."""
        before = self._clock()
        found = run()
        now = self._clock()
        growth = min(_MOST_GROWTH, self._period / max(now - before, 1e-9))
        self.steps, self.spent = max(1, int(self.steps * growth)), now - self._start
        return found

    def due(self) -> bool:
        """Whether the state is to be kept now: the last time is `period` seconds ago."""
        now = self._clock()
        if now - self._kept < self._period:
            return False
        self._kept = now
        return True
