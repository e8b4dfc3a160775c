"""A sweep on a real SLURM, with a cancelled job, ends like a local one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cancelled_sweep import cancelled_sweep, sound
from slurm_machine import CannotStart, slurm_machine

TOYS = Path(__file__).parents[2] / "toy_problems.py"
LEVELS = ",".join(map(str, range(1, 65)))
WORDS = [
    *("problem=own_problem:Mean", "theory=own_problem:mean_theory", f"level={LEVELS}"),
    *("sizes=[20,40]", "precision=0.05", "figure.kind=none"),
]


@pytest.mark.slurm
def test_a_cancelled_job_costs_its_unfinished_trials_only(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason='pip install "simdiff[cluster]"')
    try:
        with slurm_machine() as around:
            for attempt in range(3):  # on a busy machine a toy job may end before it is cancelled
                place = tmp_path / str(attempt)
                place.mkdir()
                shutil.copy(TOYS, place / "own_problem.py")
                found = cancelled_sweep(place, WORDS, 4, around)
                if found["first command"]["exit status"]:
                    break
    except CannotStart as reason:
        pytest.skip(f"SLURM cannot start here: {reason}")
    assert sound(found), json.dumps(found, indent=1)
    assert found["points"] == 64
