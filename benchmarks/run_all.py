"""Every benchmark in one run, one after the other: `make bench`.

python benchmarks/run_all.py
"""

from __future__ import annotations

import speed

if __name__ == "__main__":
    for part in (speed.theory, speed.memory, speed.large_point, speed.sweep):
        part()
