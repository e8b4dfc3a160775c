"""Every benchmark of speed in one run, one after the other: `make bench`.

python benchmarks/run_all.py
"""

from __future__ import annotations

import linear_path
import speed
import speed_figure
import time_to_verdict

if __name__ == "__main__":
    for name in speed.PARTS:
        speed.part(name)()
    linear_path.main()
    time_to_verdict.main()
    speed_figure.main()
