"""From problems to named numbers: batches, refusals, and points the solver cannot do."""

from __future__ import annotations

import dataclasses
import math
import types

import numpy as np
import pytest
from theory_points import METRICS, RELU, corners, make, power_law

from simdiff import InputError
from simdiff.theory.denoising import gaussian_equivalence
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning, predict, predict_many


def test_many_is_one_after_the_other():
    problems = corners(12, seed=2)
    together = predict_many(problems)
    assert predict.many is predict_many
    for problem, row in zip(problems, together, strict=True):
        assert tuple(row) == METRICS
        assert predict(problem) == pytest.approx(row, rel=1e-8)
    assert predict_many([]) == []


def test_batches_are_cut_without_a_trace(monkeypatch):
    problems = corners(40, seed=4)
    whole = predict_many(problems)
    monkeypatch.setattr(gaussian_equivalence, "_LARGE_BATCH", 16)
    parts = predict_many(problems)
    assert all(a == pytest.approx(b, rel=1e-8) for a, b in zip(whole, parts, strict=True))


def test_long_spectra():
    found = predict(make(1.5, 2.0, 4, 0.1, 1e-3, RELU, power_law(1.0, 1000)))
    coarse = predict(make(1.5, 2.0, 4, 0.1, 1e-3, RELU, power_law(1.0, 990)))
    assert found == pytest.approx(coarse, rel=5e-3)
    assert found["test"] != coarse["test"]


def test_values_are_plain_floats():
    assert all(type(value) is float for value in predict(make(1.0, 2.0, 3, 0.1, 1e-3)).values())


def altered(**changes):
    problem = make(1.0, 2.0, 3, 0.1, 1e-3)
    for name, value in changes.items():
        setattr(problem, name, value)
    return problem


@dataclasses.dataclass
class Optax:
    ridge: float = 1e-3


BAD = {
    "trainer: got 'Optax'; allowed: Ridge": altered(trainer=Optax()),
    "trainer: got 'NoneType'": altered(trainer=None),
    "data: got 'SimpleNamespace'.*spectrum": altered(data=types.SimpleNamespace()),
    "model: got 'SimpleNamespace'.*activation": altered(model=types.SimpleNamespace(psi_p=2.0)),
    "model.activation": altered(model=types.SimpleNamespace(psi_p=2.0, activation="tanh")),
    "model.psi_p: got -1": altered(model=types.SimpleNamespace(psi_p=-1.0, activation=RELU)),
    "psi_n: got 0": altered(psi_n=0.0),
    "m: got 0": altered(m=0),
    "^t: got 0": altered(t=0.0),
    "trainer.ridge: got 0": altered(trainer=type("Ridge", (), {"ridge": 0.0, "solution": "minimum"})()),
    "data.spectrum": altered(data=types.SimpleNamespace(spectrum=lambda: (np.ones(2), np.ones(2)))),
}


@pytest.mark.parametrize("message", BAD)
def test_what_it_does_not_cover_is_refused(message):
    with pytest.raises(InputError, match=message):
        predict(BAD[message])


def test_a_point_not_solved_is_nan_and_named(monkeypatch):
    problems = corners(3, seed=9)
    good = predict_many(problems)
    solver = gaussian_equivalence.learning_curves

    def stuck(setting):
        curves = solver(setting)
        flags = curves.point.converged.at[1].set(False)
        return curves._replace(point=curves.point._replace(converged=flags))

    monkeypatch.setattr(gaussian_equivalence, "learning_curves", stuck)
    named = f"psi_n={problems[1].psi_n:.6g}, .*m={problems[1].m}"
    with pytest.warns(ConvergenceWarning, match=named) as seen:
        rows = predict_many(problems)
    assert len(seen) == 1
    assert all(math.isnan(value) for value in rows[1].values())
    assert (rows[0], rows[2]) == (good[0], good[2])
