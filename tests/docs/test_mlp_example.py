"""The example of a network against theory, run small: frozen features come nearer to their theory."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mlp_against_theory.py"


@pytest.mark.heavy
def test_distances_are_told_and_are_those_of_the_theory_for_frozen_features(tmp_path):
    spec = importlib.util.spec_from_file_location("mlp_against_theory", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.DATA = {"gaussian": example.DATA["gaussian"]}
    settings = {"sizes": (16, 24), "precision": 0.1, "max_trials": 8, "extrapolation": (1.0,), "steps": 300}
    table = example.main(str(tmp_path / "mlp.csv"), widths=(1.0,), **settings)
    assert set(table["verdict"]) == {"approximation"}
    assert (tmp_path / "mlp.csv").read_text().count("\n") == len(table) + 1
    away = table.assign(far=np.abs(table["estimate"] / table["theory"] - 1)).set_index(["first", "metric"])[
        "far"
    ]
    assert away["frozen", "train"] < 0.1  # Adam for 300 steps is near the minimiser
    assert away["trained", "train"] > 2 * away["frozen", "train"]
