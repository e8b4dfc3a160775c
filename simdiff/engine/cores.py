"""The CPU as several devices, so that every core runs trials of its own."""

from __future__ import annotations

import os

import jax

MOST = 8
"""Devices at most: the trials of most batches (`trials.batch_size`); more would share trials."""


def spread_over_cores() -> None:
    """Let JAX see the CPU as one device per core, at most `MOST`, from its first use on.

    A trial's small matrix products, random draws and factorisations keep one core busy, hardly two: on two
    cores runs are 1.1 (Ridge, d = 400) to 1.7 times (SGD, d = 100) as fast as with one trial after the other
    on both (`benchmarks/device_scaling.py`). All CPU devices share one pool of threads, so a trial that is
    alone has all cores for its large products.

    It is for programs that own their process, and does nothing where JAX already has its devices, or where
    XLA_FLAGS or JAX_NUM_CPU_DEVICES says how many there are.
    """
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if chosen or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    try:
        jax.config.update("jax_num_cpu_devices", min(MOST, available_cores()))
    except RuntimeError:  # JAX is in use
        return


def available_cores() -> int:
    """Those that this process may use, which a cluster's job has fewer of than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
