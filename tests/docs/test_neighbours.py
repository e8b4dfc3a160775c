"""Problems of neighbouring fields: solvers against others, formulas against averages, verdicts."""

import importlib
import itertools
import re
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Lasso as SklearnLasso

import simdiff

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PAGE = (ROOT / "docs" / "neighbours.md").read_text()
QUICK = {
    "lasso": (
        "Lasso",
        {"sizes": (60, 100, 200), "precision": 0.03, "max_trials": 512, "extrapolation": (1.0,)},
    ),
    "kernel_ridge": ("KernelRidge", {"sizes": (40, 60, 100, 200), "precision": 0.02}),
    "committee_machine": ("CommitteeMachine", {"sizes": (40, 60, 100, 200), "precision": 0.02}),
}


@pytest.fixture(autouse=True)
def _examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in QUICK:
        sys.modules.pop(name, None)


def test_the_lasso_is_solved():
    example = importlib.import_module("lasso")
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(40, 60)) / np.sqrt(40), rng.normal(size=40)
    with jax.enable_x64(True):
        found = np.asarray(example.fista(jax.numpy.asarray(a), jax.numpy.asarray(y), 0.3, steps=4000))
    other = SklearnLasso(alpha=0.3 / 40, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(a, y).coef_
    assert np.abs(found - other).max() < 1e-5
    assert np.abs(found - other).max() < 1e-3 * np.abs(found).max()


def test_the_fixed_point_of_the_lasso_holds_as_an_average():
    """E (eta(b0 + tau Z) - b0)^2 by draws, at the tau that goes with the predicted error."""
    example = importlib.import_module("lasso")
    problem = example.Lasso()
    found = example.theory(problem)
    tau = np.sqrt(problem.noise**2 + found["mse"] / problem.delta)
    theta = problem.penalty / (1 - found["active"] / problem.delta)
    z, signal = np.random.default_rng(1).normal(size=10**6), np.arange(10**6) < problem.density * 10**6
    moved = signal + tau * z
    eta = np.sign(moved) * np.maximum(np.abs(moved) - theta, 0)
    assert np.mean((eta - signal) ** 2) == pytest.approx(found["mse"], rel=5e-3)
    assert np.mean(eta != 0) == pytest.approx(found["active"], rel=5e-3)


def test_averages_of_the_committee_machine_are_those_of_gaussian_fields():
    example = importlib.import_module("committee_machine")
    root = np.random.default_rng(2).normal(size=(4, 4)) / 2
    c = root @ root.T
    z = np.random.default_rng(3).normal(size=(2_000_000, 4)) @ root.T
    g = np.asarray(example.erf(z))
    slope = np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
    for i, b, a in itertools.islice(itertools.product(range(4), repeat=3), 0, None, 7):
        assert np.mean(slope[:, i] * z[:, b] * g[:, a]) == pytest.approx(example.mean_3(c, i, b, a), abs=2e-3)
    for i, k, a, b in ((0, 1, 2, 3), (0, 0, 1, 2), (1, 0, 0, 1), (0, 0, 0, 0), (1, 1, 3, 3)):
        average = np.mean(slope[:, i] * slope[:, k] * g[:, a] * g[:, b])
        assert average == pytest.approx(example.mean_4(c, i, k, a, b), abs=1e-3)
    signs = np.array(example.SIGNS)
    assert np.mean((g @ signs) ** 2) / 2 == pytest.approx(example.error_of(c, np), abs=3e-3)


@pytest.mark.heavy
@pytest.mark.parametrize("name", QUICK)
def test_the_theory_agrees_and_one_that_is_off_by_a_tenth_is_rejected(name):
    kind, settings = QUICK[name]
    example = importlib.import_module(name)
    run = simdiff.validate(getattr(example, kind)(), example.theory, **settings)
    assert run.agree is not False
    off = lambda problem: {m: 1.1 * value for m, value in example.theory(problem).items()}  # noqa: E731
    assert (run.compare(off).table["verdict"] == "disagree").sum() == len(run.table)


def test_the_page_shows_the_stored_verdicts():
    table = pd.read_csv(ROOT / "results" / "neighbours.csv")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \| (\S+) \| (\w+) \| ([\w ]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == len(table) == 8
    for row, stored in zip(rows, table.itertuples(), strict=True):
        assert row[:2] == (stored.problem, stored.metric)
        assert float(row[2]) == pytest.approx(stored.theory, rel=1e-3)
        assert float(row[3].split("(")[0]) == pytest.approx(stored.estimate, abs=stored.stderr)
        assert row[4:] == (stored.verdict, stored.wrong)
