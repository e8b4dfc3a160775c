"""Devices that work on one trial together: how many, and what they share."""

from __future__ import annotations

import dataclasses

from simdiff.engine.devices import devices_for, fewest_devices, largest_divisor
from simdiff.engine.session import SESSION, Session
from simdiff.problem import Kernel, Problem


@dataclasses.dataclass(frozen=True)
class Group:
    """`devices` share a trial's rows, or, with `split`, its matrices too: none holds them whole."""

    devices: int = 1
    split: bool = False

    def kernel(self, kernel: Kernel) -> Kernel:
        """What each of them runs."""
        if self.devices == 1:
            return kernel
        return kernel.split(self.devices) if self.split else kernel.shared(self.devices)


ONE_DEVICE = Group()


def group(problem: Problem, d: int, batch: int, session: Session = SESSION) -> Group:
    """The devices of one trial, in batches of that many.

    A trial that does not fit a device is split over the fewest that can hold it. Where a batch has fewer
    trials than there are devices, these share them, rows or all.
    """
    devices, fewest = len(devices_for(problem, d, session)), fewest_devices(problem, d, session)
    idle = largest_divisor(devices, devices // batch)
    if fewest > 1:
        return Group(max(fewest, idle), split=True)
    return Group(idle if problem.shares_rows(d) else 1)
