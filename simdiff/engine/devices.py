"""What the devices of this machine can hold and how many trials run side by side on one."""

from __future__ import annotations

import jax
import psutil

from simdiff.errors import InputError
from simdiff.problem import Problem

_SHARE = 0.8
"""Share of the free memory that trials may plan for."""


def free_memory(device: jax.Device | None = None) -> int:
    """Bytes free on a device: its own account on accelerators, the machine's on CPU."""
    device = device or jax.local_devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    return int(psutil.virtual_memory().available)


def check_memory(problem: Problem, d: int) -> None:
    """Refuse a trial that does not fit, naming the size that would.

    Raises:
        InputError: before anything is computed.
    """
    need, have = problem.memory(d), _SHARE * free_memory()
    if need <= have:
        return
    fits = d
    while fits > 1 and problem.memory(fits) > have:
        fits = int(fits * 0.95)
    hint = f"one trial needs {need / 2**30:.1f} GiB, {have / 2**30:.1f} GiB are at hand"
    raise InputError("sizes", d, f"at most about {fits} for this problem here", hint)


def side_by_side(problem: Problem, d: int, batch: int) -> int:
    """Trials under one vmap: all that fit on an accelerator; one on CPU, whose cores a trial fills."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return 1
    need = max(1, problem.memory(d))
    return max(1, min(batch, int(_SHARE * free_memory(device) / need)))
