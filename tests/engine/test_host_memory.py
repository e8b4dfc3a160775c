"""Memory limits of control groups and of SLURM count, whichever leaves least."""

import psutil
import pytest

from simdiff.engine.host_memory import available

GIB = 2**30


def machine(root, groups, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, number in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    return root


@pytest.fixture(autouse=True)
def free(monkeypatch):
    """Sixteen GiB are free, and this process has one."""
    memory = type("Memory", (), {"available": 16 * GIB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    own = type("Own", (), {"memory_info": lambda self: type("Info", (), {"rss": GIB})})
    monkeypatch.setattr(psutil, "Process", own)


CASES = {
    "no groups": ("", {}, {}, 16),
    "no limit": ("0::/job", {"job/memory.max": "max", "job/memory.current": GIB}, {}, 16),
    "a limit": ("0::/job", {"job/memory.max": 4 * GIB, "job/memory.current": GIB}, {}, 3),
    "of the group above": (
        "0::/job/step",
        {
            "job/step/memory.max": 8 * GIB,
            "job/step/memory.current": GIB,
            "job/memory.max": 3 * GIB,
            "job/memory.current": GIB,
        },
        {},
        2,
    ),
    "version 1": (
        "7:cpu:/\n4:memory:/job",
        {"memory/job/memory.limit_in_bytes": 2 * GIB, "memory/job/memory.usage_in_bytes": GIB},
        {},
        1,
    ),
    "spent": ("0::/job", {"job/memory.max": GIB, "job/memory.current": 2 * GIB}, {}, 0),
    "slurm, node": ("", {}, {"SLURM_MEM_PER_NODE": "6144"}, 5),
    "slurm, core": ("", {}, {"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "4"}, 3),
    "slurm, zero is all": ("", {}, {"SLURM_MEM_PER_NODE": "0"}, 16),
}


@pytest.mark.parametrize("name", CASES)
def test_the_least_counts(name, tmp_path):
    groups, files, environment, expected = CASES[name]
    assert available(machine(tmp_path, groups, files), environment) == expected * GIB
