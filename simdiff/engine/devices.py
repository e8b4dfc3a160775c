"""What the devices of this machine can hold and how many trials run side by side on one."""

from __future__ import annotations

import contextlib
import functools

import jax
import psutil
import threadpoolctl

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


def one_lapack_thread() -> contextlib.AbstractContextManager:
    """Keep LAPACK's own threads out of the way of XLA's while trials run on CPU.

    Both pools wait actively: on a machine with other work, two LAPACK threads made trials at d = 100 to
    400 five to ten times slower; on an idle one a trial takes the same time with one thread as with two
    (two cores, jaxlib 0.10).
    """
    if jax.local_devices()[0].platform != "cpu":
        return contextlib.nullcontext()
    return _pools().limit(limits=1, user_api="blas")


@functools.cache
def _pools() -> threadpoolctl.ThreadpoolController:
    """The thread pools loaded so far; looking for them takes milliseconds, so once."""
    jax.block_until_ready(jax.numpy.linalg.cholesky(jax.numpy.eye(2)))
    return threadpoolctl.ThreadpoolController()
