"""Theories found by name, path or as callables; what they return is checked."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from theory_points import make

from simdiff import InputError
from simdiff.theory import evaluate, evaluate_many, load, names
from simdiff.theory.denoising.gaussian_equivalence import predict

PROBLEM = make(1.0, 2.0, 3, 0.1, 1e-3)
TIMED = types.SimpleNamespace(metrics=PROBLEM.metrics, times=(1.0, 10.0, 100.0), default_theory=None)


def test_built_in_names_and_the_default():
    assert "gaussian_equivalence" in names()
    assert load("gaussian_equivalence", PROBLEM) is predict
    assert load(None, PROBLEM) is predict
    assert evaluate(None, PROBLEM) == predict(PROBLEM)


def test_a_callable_is_itself():
    def half(problem):
        return {"test": 0.5}

    assert load(half, PROBLEM) is half
    assert evaluate(half, PROBLEM) == {"test": 0.5}


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    (tmp_path / "users_own_theory.py").write_text(
        "limit = 3\n\ndef law(problem):\n    return {'test': 1.0 / problem.psi_n}\n"
    )
    (tmp_path / "users_broken_theory.py").write_text("def law(problem:\n")
    (tmp_path / "users_needy_theory.py").write_text("import a_package_nobody_has\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("own", "broken", "needy"):
        sys.modules.pop(f"users_{name}_theory", None)


def test_a_file_in_the_working_directory(user_folder):
    before = list(sys.path)
    assert evaluate("users_own_theory:law", make(4.0, 2.0, 3, 0.1, 1e-3)) == {"test": 0.25}
    assert sys.path == before


BAD_SPECS = {
    "users_own_theory:lw": "no attribute 'lw'",
    "users_own_theory:limit": "callable problem -> mapping",
    "users_missing_theory:law": "no module named 'users_missing_theory'",
    "users_needy_theory:law": "no module named 'a_package_nobody_has'",
    "users_broken_theory:law": "SyntaxError",
    "gausian_equivalence": "did you mean 'gaussian_equivalence'",
}


@pytest.mark.parametrize("spec", BAD_SPECS)
def test_specs_that_lead_nowhere(user_folder, spec):
    with pytest.raises(InputError, match=r"^theory: got") as caught:
        load(spec, PROBLEM)
    assert BAD_SPECS[spec] in str(caught.value)


def test_no_default_and_no_string():
    with pytest.raises(InputError, match="has no default"):
        load(None, TIMED)
    with pytest.raises(InputError, match="theory: got 3"):
        load(3, PROBLEM)


def test_values_with_a_time_axis():
    found = evaluate(lambda problem: {"test": [1, 2, 3]}, TIMED)
    np.testing.assert_array_equal(found["test"], np.array([1.0, 2.0, 3.0]))
    assert found["test"].dtype == np.float64


def test_scalars_of_any_numeric_kind_become_floats():
    found = evaluate(
        lambda problem: {"test": np.float32(0.5), "train": np.array(2), "score": np.nan}, PROBLEM
    )
    assert (found["test"], found["train"]) == (0.5, 2.0)
    assert np.isnan(found["score"])
    assert all(type(value) is float for value in found.values())


BAD_VALUES = [
    (PROBLEM, {"tests": 1.0}, "did you mean 'test'"),
    (PROBLEM, {"test": [1.0, 2.0]}, r"theory's test: got .*a number"),
    (PROBLEM, {"test": "high"}, "theory's test"),
    (PROBLEM, {"test": None}, "theory's test"),
    (PROBLEM, {"test": 1j}, "theory's test"),
    (PROBLEM, {"test": True}, "theory's test"),
    (PROBLEM, {"test": [1.0, [2.0]]}, "theory's test"),
    (PROBLEM, [("test", 1.0)], "a mapping"),
    (TIMED, {"test": [1.0, 2.0]}, "an array of 3 numbers"),
    (TIMED, {"test": 1.0}, "an array of 3 numbers"),
]


@pytest.mark.parametrize(("problem", "values", "message"), BAD_VALUES)
def test_values_that_cannot_be_used(problem, values, message):
    with pytest.raises(InputError, match=message):
        evaluate(lambda problem: values, problem)


def test_metrics_can_be_given():
    assert evaluate(lambda problem: {"gap": 1.0}, PROBLEM, metrics=("gap",)) == {"gap": 1.0}


def test_many_problems_with_and_without_a_vectorised_theory():
    problems = [make(psi, 2.0, 3, 0.1, 1e-3) for psi in (0.5, 1.0)]

    def law(problem):
        return {"test": problem.psi_n}

    assert evaluate_many(law, problems) == [{"test": 0.5}, {"test": 1.0}]
    assert evaluate_many(None, problems) == predict.many(problems)
    assert evaluate_many(law, []) == []
    law.many = lambda problems: [{"test": 0.0}]
    with pytest.raises(InputError, match=r"theory\.many"):
        evaluate_many(law, problems)
