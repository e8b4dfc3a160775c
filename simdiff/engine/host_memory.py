"""Memory that this process may still take of its machine: what is free, within the limits set to it.

A container's or a job's limit is that of its control group, or of SLURM, and may be far below what the
machine has free.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

ROOT = Path("/")


def available(root: Path = ROOT, environment: Mapping[str, str] | None = None) -> int:
    """Bytes: the least of what is free and of what each limit leaves."""
    environment = os.environ if environment is None else environment
    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_left_by_groups(root), *_left_by_slurm(environment)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """What the control groups of this process, and those above them, leave."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if not controllers:  # version 2
            yield from _left_along(root / "sys/fs/cgroup", place, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            files = "memory.limit_in_bytes", "memory.usage_in_bytes"
            yield from _left_along(root / "sys/fs/cgroup/memory", place, *files)


def _left_along(mount: Path, place: str, limit: str, used: str) -> Iterator[int]:
    folder = mount / place.strip("/")
    for group in (folder, *folder.parents):
        most, now = _text(group / limit).strip(), _text(group / used).strip()
        if most.isdigit() and now.isdigit():  # "max" is no limit
            yield int(most) - int(now)
        if group == mount:
            return


def _left_by_slurm(environment: Mapping[str, str]) -> Iterator[int]:
    """SLURM says megabytes for the node, or for each of the job's cores there."""
    whole, each = environment.get("SLURM_MEM_PER_NODE", ""), environment.get("SLURM_MEM_PER_CPU", "")
    cores = environment.get("SLURM_CPUS_ON_NODE", "")
    megabytes = int(whole) if whole.isdigit() else 0
    if not megabytes and each.isdigit() and cores.isdigit():
        megabytes = int(each) * int(cores)
    if megabytes:
        yield megabytes * 2**20 - psutil.Process().memory_info().rss


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
