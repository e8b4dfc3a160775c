"""The theory against an independent simulation, all five metrics, extrapolated to d = infinity."""

from __future__ import annotations

import json
import math
import pathlib
import subprocess
import sys

import finite_size
import numpy as np
import pytest
from finite_size import POINTS
from theory_points import METRICS

from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs, learning_curves


@pytest.fixture(scope="module")
def simulated():
    program = pathlib.Path(finite_size.__file__)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    return {name: np.array(pair) for name, pair in json.loads(done.stdout).items()}


def predictions(change=lambda setting: setting) -> dict[str, np.ndarray]:
    """The metrics at every point, from constants that `change` may spoil."""
    settings = [change(inputs_of(problem, problem.trainer.ridge)) for problem in POINTS.values()]
    padded = [[np.pad(f, (0, 2 - f.size)) if np.ndim(f) else f for f in s] for s in settings]
    curves = learning_curves(TheoryInputs(*(np.array(f, dtype=float) for f in zip(*padded, strict=True))))
    assert bool(curves.converged.all())
    values = np.stack([np.asarray(getattr(curves, name)) for name in METRICS], axis=1)
    return dict(zip(POINTS, values, strict=True))


def pulls(simulated, name: str, predicted: np.ndarray) -> np.ndarray:
    estimate, error = simulated[name]
    return np.abs(estimate - predicted) / error


@pytest.mark.parametrize("name", POINTS)
def test_all_metrics_agree(simulated, name):
    predicted = predictions()[name]
    # 20 comparisons, errors estimated from 25 trials: chance exceeds 4 once in 100 choices of seeds.
    assert pulls(simulated, name, predicted).max() < 4.0
    assert (simulated[name][1] < 0.04 * predicted).all()


WRONG = {
    "mu1^2 off by 25%": lambda s: s._replace(mu1=s.mu1 * math.sqrt(1.25)),
    "no excess shared by draws": lambda s: s._replace(v2=0.0),
    "no excess of each draw": lambda s: s._replace(s2=0.0),
    "one draw too many": lambda s: s._replace(i=s.i / (1 + s.i)),
}


@pytest.mark.parametrize("change", WRONG)
@pytest.mark.parametrize("name", POINTS)
def test_a_wrong_theory_is_rejected(simulated, name, change):
    if change == "one draw too many" and math.isinf(POINTS[name].m):
        pytest.skip("infinity and one is infinity")
    if change == "mu1^2 off by 25%" and name == "one draw":
        pytest.skip("at that point the effect is three standard errors only")
    assert pulls(simulated, name, predictions(WRONG[change])[name]).max() > 6.0
