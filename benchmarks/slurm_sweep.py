"""A sweep of 64 points on a SLURM of this machine, with a cancelled job, completed by the same command.

    python benchmarks/slurm_sweep.py               # takes slurm-wlm, munge and the extra "cluster"

Theory and trials of random-feature networks at 8 noise levels and 8 ridges, in 8 jobs. Job 0 is cancelled
once it has stored trials of its first point. Compared with the same sweep in one process: trials and tables
must be identical. Stored: results/slurm_sweep.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "cli" / "cluster"))

from cancelled_sweep import cancelled_sweep, sound
from common import RESULTS, facts
from slurm_machine import slurm_machine

WORDS = [
    *("t=0.05,0.1,0.2,0.3,0.4,0.5,0.7,1", "trainer.ridge=1e-3,3e-3,0.01,0.03,0.1,0.3,1,3"),
    *("sizes=[30,40]", "precision=0.02", "max_trials=128", "figure.kind=none"),
]
JOBS = 8

if __name__ == "__main__":
    with slurm_machine() as around, tempfile.TemporaryDirectory() as place:
        found = cancelled_sweep(Path(place), WORDS, JOBS, around)
        told = subprocess.run(["sbatch", "--version"], env=around, capture_output=True, text=True, check=True)
    assert sound(found), json.dumps(found, indent=1)
    about = facts("python benchmarks/slurm_sweep.py", slurm=told.stdout.strip(), words=WORDS, found=found)
    (RESULTS / "slurm_sweep.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(found, indent=1))
