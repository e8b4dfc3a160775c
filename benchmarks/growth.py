"""How time and memory grow with d, with n m and with p, against what the flop count and the plan say.

    python benchmarks/speed.py growth        # time, compiled
    python benchmarks/speed.py memory        # peak memory of a process

Time: median seconds of a Ridge trial along lines (d alone with all ratios fixed; m; p), with the exponent
fitted to the times beside that of the flop count over the same points: `off` is their difference.
Memory: peak resident memory of a process (Linux) that runs one launch of trials on one device, above what it
held after compiling, along n m from 10^4 to 10^7 at fixed p, along p, and along d with all ratios fixed;
O(p^2) means an exponent of 0, and ones that near 2 from below: blocks of rows are of order p. The exponent of
the plan (`Problem.memory`) stands beside.
Stored in results/speed_growth.csv and results/speed_memory.csv.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
from common import engine_seconds, exponent, facts, store

import simdiff
from simdiff.engine import prepare, use_devices

LINES = {
    "small d": [(64, 4.0, 4), (100, 4.0, 4), (160, 4.0, 4), (256, 4.0, 4)],
    "d": [(400, 4.0, 4), (560, 4.0, 4), (800, 4.0, 4), (1200, 4.0, 4)],
    "n m": [(400, 4.0, 8), (400, 4.0, 16), (400, 4.0, 32), (400, 4.0, 64)],
    "p": [(400, 4.0, 16), (400, 6.4, 16), (400, 10.24, 16), (400, 15.36, 16)],
}
"""(d, psi_p, m) at psi_n = 2; "small d" is where trials do not yet run at the speed of large products."""
ROWS = (10**4, 10**5, 10**6, 10**7)
WIDTHS = (2048, 3072, 4096, 6144)
SIZES = (400, 600, 800, 1200)


def point(d: int, psi_p: float, m: int, psi_n: float = 2.0) -> simdiff.DenoisingScoreMatching:
    """Ridge on isotropic data."""
    return simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(psi_p), psi_n=psi_n, m=m, t=0.1)


def times(lines: dict[str, list] | None = None) -> None:
    """Time against each variable."""
    rows, fits = [], {}
    for name, points in (lines or LINES).items():
        part = []
        for d, psi_p, m in points:
            at = point(d, psi_p, m)
            x = {"n m": 2 * d * m, "p": psi_p * d}.get(name, d)
            part.append({"against": name, "x": x, "d": d, "p": round(psi_p * d), "n m": 2 * d * m})
            part[-1] |= {"seconds": engine_seconds(at, d, 3), "gigaflops": at.cost(d) / 1e9}
            print(part[-1], flush=True)
        x, seconds, flops = ([row[key] for row in part] for key in ("x", "seconds", "gigaflops"))
        found, count = exponent(x, seconds), exponent(x, flops)
        fits[name] = {"time": round(found, 3), "flops": round(count, 3), "off": round(found - count, 3)}
        rows += part
    print(fits)
    store("speed_growth", pd.DataFrame(rows), facts("python benchmarks/speed.py growth", exponents=fits))


def memory(
    rows: tuple[int, ...] = ROWS, widths: tuple[int, ...] = WIDTHS, sizes: tuple[int, ...] = SIZES
) -> None:
    """Peak memory against n m (d = 64, p = 256), p (d = 64, n m = 8192) and d (p = 4 d, n m = 8 d).

    Each in a process of its own.
    """
    table = [_child("n m", 64, 4.0, count // 1000, 1000 / 64) for count in rows]
    table += [_child("p", 64, p / 64, 64, 2.0) for p in widths]
    table += [_child("d", d, 4.0, 4, 2.0) for d in sizes]
    frame = pd.DataFrame(table)
    fits = {}
    for name, part in frame.groupby("against"):
        found, planned = exponent(part["x"], part["mib"]), exponent(part["x"], part["planned_mib"])
        fits[str(name)] = {"memory": round(found, 3), "plan": round(planned, 3)}
    print(fits)
    store("speed_memory", frame, facts("python benchmarks/speed.py memory", exponents=fits))


def _child(against: str, d: int, psi_p: float, m: int, psi_n: float) -> dict[str, object]:
    words = [sys.executable, __file__, "memory-child", str(d), str(psi_p), str(m), str(psi_n)]
    spent, used, test = map(
        float, subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    )
    n_m, p = round(psi_n * d) * m, round(psi_p * d)
    found = {"against": against, "x": {"n m": n_m, "p": p, "d": d}[against], "d": d, "p": p, "n m": n_m}
    planned = point(d, psi_p, m, psi_n).memory(d) / 2**20
    print(found | {"mib": used, "trial_s": spent}, flush=True)
    return found | {"trial_s": spent, "mib": used, "planned_mib": planned, "test": test}


def memory_child(d: int, psi_p: float, m: int, psi_n: float) -> None:
    """Print seconds, MiB above what the compiled process held before its trial, and the test error."""
    use_devices(1)
    at = point(d, psi_p, m, psi_n)
    prepare(at, d, 0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
    before = _resident("VmRSS")
    frame = simdiff.simulate(at, d=d, trials=1)
    print(frame["duration"][0], _resident("VmHWM") - before, frame["test"][0])


def _resident(name: str) -> float:
    """MiB that Linux reports for this process; `ru_maxrss` would start from the peak of the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**10


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory-child"]:
        d, psi_p, m, psi_n = sys.argv[2:]
        memory_child(int(d), float(psi_p), int(m), float(psi_n))
    else:
        times()
        memory()
