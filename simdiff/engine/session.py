"""What a process remembers between calls: the devices in use, plans that hold, compiled programs.

One `Session` is passed through the engine; `SESSION` is the one that everybody uses who names no other.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import jax


@dataclasses.dataclass
class Session:
    """Everything that is kept for the life of a process.

    Attributes:
        devices: how many local devices are used; None for all.
        resident: bytes that stay in use between batches, by device: the least seen, for a plan may be made
            while a batch runs.
        spread: how many trials of (problem, size, devices) run at once on the CPU: those that run take of the
            memory that is at hand, so what was found to fit is kept.
        fewest: the fewest devices that hold a trial of (problem, size, devices), kept likewise.
        side_by_side: trials under one vmap on a device, by kernel, trials on a device and devices. Kept, so
            that a program compiled ahead is the one that runs, and so that memory runs out once only.
        notes: a sentence for each time that memory ran out: how trials went on.
        programs: compiled batches by signature.
        ready: (problem, what starts its trials) by problem, size and what else decides it; the latest few.
        checkpoint: seconds between two checkpoints of a trial that runs in steps; None: the usual number, and
            only where trials take long.
        pools: processes of trials on the host, by problem and number.
    """

    devices: int | None = None
    checkpoint: float | None = None
    resident: dict[jax.Device, int] = dataclasses.field(default_factory=dict)
    spread: dict[tuple, int] = dataclasses.field(default_factory=dict)
    fewest: dict[tuple, int] = dataclasses.field(default_factory=dict)
    side_by_side: dict[tuple, int] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    programs: dict[tuple, Callable] = dataclasses.field(default_factory=dict)
    ready: dict[tuple, tuple[Any, Any]] = dataclasses.field(default_factory=dict)
    pools: dict[tuple, Any] = dataclasses.field(default_factory=dict)
    _locks: dict[tuple, threading.Lock] = dataclasses.field(default_factory=dict)
    _guard: Any = dataclasses.field(default_factory=threading.Lock)

    def program(self, signature: tuple, make: Callable[[], Callable]) -> Callable:
        """The program of this signature, made once even where several threads ask for it."""
        with self._guard:
            lock = self._locks.setdefault(signature, threading.Lock())
        with lock:
            if signature not in self.programs:
                self.programs[signature] = make()
        return self.programs[signature]

    def keep_ready(self, plan: tuple, found: tuple[Any, Any]) -> None:
        """Keep what starts the trials of one plan; the oldest goes where there are too many."""
        with self._guard:
            self.ready[plan] = found
            while len(self.ready) > _MOST_READY:
                del self.ready[next(iter(self.ready))]


_MOST_READY = 8

SESSION = Session()
"""The session of this process."""
