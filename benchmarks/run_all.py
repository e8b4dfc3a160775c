"""Every benchmark in one run, one after the other: `make bench`.

python benchmarks/run_all.py
"""

from __future__ import annotations

import linear_path
import speed
import trial_speed

if __name__ == "__main__":
    for part in (
        speed.theory,
        speed.memory,
        speed.large_point,
        trial_speed.main,
        linear_path.main,
        speed.sweep,
    ):
        part()
