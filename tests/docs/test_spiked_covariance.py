"""The example of a spiked covariance: its trials against dense matrices, verdicts with right and wrong
exponents."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import simdiff
from simdiff.validation import Rule, hypotheses, judge_table

PATH = Path(__file__).parents[2] / "docs" / "examples" / "spiked_covariance.py"
SIZES = (32, 128, 512, 2048)

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("spiked_covariance", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what describes a dataclass asks for its module
    spec.loader.exec_module(module)
    return module


def judged(rows, metric, value, extrapolation):
    rule = Rule(precision=0.02, absolute=0.05, sizes=SIZES, extrapolation=extrapolation, max_trials=1024)
    return judge_table(hypotheses(rows, [metric], SIZES, theory={metric: value}), rule).table["verdict"][0]


def test_a_trial_has_the_eigenvalue_and_overlap_of_dense_matrices(example):
    d, spike, rng, found = 24, 2.5, np.random.default_rng(0), []
    for _ in range(800):
        x = rng.standard_normal((d, d))
        x[:, 0] *= np.sqrt(spike)
        values, vectors = np.linalg.eigh(x.T @ x / d)
        found.append([values[-1], vectors[0, -1] ** 2])
    dense = np.array(found)
    ours = simdiff.simulate(example.SpikedCovariance(spike=spike), d=d, trials=800)[
        ["top", "overlap"]
    ].to_numpy()
    error = np.sqrt((dense.var(0) + ours.var(0)) / 800)
    assert (np.abs(dense.mean(0) - ours.mean(0)) < 4 * error).all()
    assert (np.abs(dense.mean(0) - 1.1 * ours.mean(0)) > 4 * error)[0]


def test_verdicts_are_right_with_the_right_exponent_and_none_with_a_wrong_one(example):
    """Below the transition the eigenvalue sticks to the edge of the spectrum, up to d^(-2/3)."""
    problem = example.SpikedCovariance(spike=1.5)
    rows = pd.concat([simdiff.simulate(problem, d=d, trials=256) for d in SIZES], ignore_index=True)
    limit = example.theory(problem)
    assert judged(rows, "top", limit["top"], (2 / 3, 4 / 3)) == "agree"
    assert judged(rows, "top", limit["top"], (1.0,)) == "does not fit"
    assert judged(rows, "top", 1.03 * limit["top"], (2 / 3, 4 / 3)) == "disagree"
    assert judged(rows, "overlap", limit["overlap"], (1.0, 4 / 3)) == "agree"


def test_theory_of_both_sides_meets_at_the_transition(example):
    at, above = example.SpikedCovariance(spike=2.0), example.SpikedCovariance(spike=2.0 + 1e-9)
    for name, value in example.theory(at).items():
        assert example.theory(above)[name] == pytest.approx(value, abs=1e-8)
    assert example.top(at) == {"top": 4.0}
    assert example.overlap(at) == {"overlap": 0.0}
