"""A GPU day: everything worth measuring on one large GPU, in at most 25 minutes, most worthy first.

    python benchmarks/gpu_day.py                    # needs a GPU
    python benchmarks/gpu_day.py --minutes 12       # less time
    python benchmarks/gpu_day.py peak small         # some steps
    python benchmarks/gpu_day.py --small            # the same code at small sizes, on any device

Every step is a process of its own (`gpu_steps.py`), with a share of the time that is left: a crash, memory
that runs out, a missing package or an interrupt costs that step alone. A step stores its table after each
row, and `results/gpu_day.json` says after each step what became of all; one that is stopped keeps its rows.

agreement  trials of every problem, trainer and data law against those on CPU, to the precision stated
peak       share of the measured product rate: Ridge, flow and Optax at d = 200 to 4,000; the numerical error
verdict    seconds to a verdict at 0.5% and 0.1%: Ridge, linear sampling, flow
small      trials per second at d = 32 to 256, thousands in a call
sweep      24 points of psi_p at d = 1,000 until the test error is known to 0.2%
memory     the most bytes in use against the plan
profile    where the time of the slowest trial goes, operation by operation

Tables end in the device's name. The exit status is 1 if a step failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"

SHARES = {
    "agreement": 4.0,
    "peak": 6.0,
    "verdict": 4.0,
    "small": 2.0,
    "sweep": 5.0,
    "memory": 1.5,
    "profile": 1.5,
}
"""Minutes of each step in a day of 25, in order of worth; what a step leaves over goes to the next ones."""

GRACE = 20.0
"""Seconds beyond its share that a step has for the row it is at."""


def limits(steps: Sequence[str], left: float) -> float:
    """Seconds that the first of `steps` may take of the seconds left: its share among those to come."""
    return left * SHARES[steps[0]] / sum(SHARES[step] for step in steps)


def run(step: str, seconds: float, words: Sequence[str], program: Sequence[str]) -> dict[str, object]:
    """One step in a process of its own: how it ended, and the end of what it said."""
    start = time.monotonic()
    process = subprocess.Popen(
        [*program, step, "--seconds", f"{seconds:.0f}", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds + GRACE)
        ended = "done" if process.returncode == 0 else f"failed, exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        said, ended = process.communicate()[0], "stopped: it took longer than its share"
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        raise
    print(said, flush=True)
    taken = round(time.monotonic() - start, 1)
    return {"ended": ended, "seconds": taken, "last_words": said.strip().splitlines()[-3:]}


def day(
    steps: Sequence[str], minutes: float, words: Sequence[str], program: Sequence[str], record: Path
) -> Mapping[str, Mapping[str, object]]:
    """All steps, one after the other; the record is written after each, and when the day is interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end, found = time.monotonic() + 60.0 * minutes, {step: {"ended": "not begun"} for step in steps}
    try:
        for place, step in enumerate(steps):
            left = end - time.monotonic()
            if left <= 0:
                break
            found[step] = {"ended": "interrupted"}
            write(record, found)
            found[step] = run(step, limits(steps[place:], left), words, program)
            write(record, found)
    except KeyboardInterrupt:
        print("interrupted: what was measured is stored", file=sys.stderr)
    write(record, found)
    return found


def write(record: Path, found: Mapping[str, Mapping[str, object]]) -> None:
    """The record, whole or not at all."""
    record.parent.mkdir(exist_ok=True)
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(found, indent=1) + "\n")
    fresh.replace(record)


def main(argv: Sequence[str]) -> int:
    """Parse, run, say what became of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"{', '.join(SHARES)}; default: all")
    parser.add_argument("--minutes", type=float, default=25.0, help="for all steps together; default: 25")
    parser.add_argument("--small", action="store_true", help="small sizes, on any device")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where tables go; default: results/")
    chosen = parser.parse_args(argv)
    if wrong := set(chosen.steps) - set(SHARES):
        parser.error(f"no step {sorted(wrong)}; there are {', '.join(SHARES)}")
    steps = [step for step in SHARES if step in chosen.steps or not chosen.steps]
    words = ["--results", str(chosen.results), *(["--small"] if chosen.small else [])]
    record = chosen.results / ("gpu_day_small.json" if chosen.small else "gpu_day.json")
    found = day(steps, chosen.minutes, words, [sys.executable, str(HERE / "gpu_steps.py")], record)
    for step, about in found.items():
        print(f"{step:10s} {about.get('seconds', 0):7.1f} s  {about['ended']}")
    return 0 if all(about["ended"] == "done" for about in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
