"""The theory against slow computations that share nothing with it, over the whole space of problems.

300 problems of `reference.csv` (see `reference_table`): psi_n and psi_p from 0.01 to 1000, ridge from 1e-12
to 1000, t from 1e-5 to 10, m from 1 to infinity, eight spectra with eigenvalues from 1e-6 to 1e6, every
built-in activation. Each number is right to 1e-6 of itself, or nan with a warning. On the same problems
hold identities that need no reference.
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
import reference_table
from hypothesis import given, settings
from problem_space import even_points, points
from slow_curves import SPECTRA, Point

import simdiff
from simdiff.theory.denoising import gaussian_equivalence, gradient_flow
from simdiff.theory.linear_denoiser import linear_denoiser

ACCURACY, ROUNDING = 1e-6, 1e-12
TABLE = reference_table.read()
COMPARED = ("test", "train", "memorization", "objective", "score")


def problem(point: Point) -> simdiff.DenoisingScoreMatching:
    values, weights = zip(*SPECTRA[point.spectrum], strict=True)
    return simdiff.DenoisingScoreMatching(
        simdiff.data.Gaussian(spectrum=(values, weights)),
        simdiff.models.RandomFeatures(point.psi_p, point.activation),
        simdiff.trainers.Ridge(point.ridge),
        psi_n=point.psi_n,
        m=point.m,
        t=point.t,
    )


def many(theory, problems) -> dict[str, np.ndarray]:
    rows = theory(problems)
    return {name: np.array([row[name] for row in rows]) for name in COMPARED}


@pytest.fixture(scope="module")
def problems():
    return [problem(row.point) for row in TABLE]


@pytest.fixture(scope="module")
def found(problems):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = many(gaussian_equivalence.predict_many, problems)
    return values, [str(w.message) for w in caught]


def deviations(values) -> np.ndarray:
    """Relative deviations from the table: metrics by problems."""
    slow = np.array([[row.values[name] for row in TABLE] for name in COMPARED])
    return np.abs(np.array([values[name] for name in COMPARED]) / slow - 1.0)


def test_the_table_covers_the_space():
    assert len({row.point for row in TABLE}) == 300
    for field, ends in {
        "psi_n": (0.02, 500),
        "psi_p": (0.02, 500),
        "t": (1e-4, 5),
        "ridge": (1e-11, 100),
    }.items():
        values = [getattr(row.point, field) for row in TABLE]
        assert min(values) < ends[0]
        assert max(values) > ends[1]
    assert {row.point.spectrum for row in TABLE} == set(SPECTRA)
    assert {row.point.activation for row in TABLE} == set(simdiff.functions.activation_names())
    assert {1, math.inf} < {row.point.m for row in TABLE}


@pytest.mark.parametrize("k", [3, 50, 120, 205, 250])
def test_the_table_is_what_the_slow_computation_gives(k):
    again = {name: float(text) for name, text in reference_table.compute(TABLE[k].point).items()}
    assert again == pytest.approx(TABLE[k].values, rel=1e-15)


def test_every_number_is_right_or_nan_with_a_reason(found):
    values, reasons = found
    off = deviations(values)
    missing = np.isnan(off).any(axis=0)
    assert np.nanmax(off) < ACCURACY
    assert missing.sum() <= len(reasons)
    assert missing.sum() <= 3  # at present none


def test_a_time_off_by_a_hundred_thousandth_is_noticed(problems):
    """In the other problems a large ridge or much data leaves less than 1e-6 of it, of every number."""
    moved = [dataclasses.replace(p, t=p.t * (1 + 1e-5)) for p in problems]
    off = deviations(many(gaussian_equivalence.predict_many, moved)).max(axis=0)
    assert (off > ACCURACY).mean() > 0.8


def test_errors_exceed_what_bounds_them(found):
    values, _ = found
    floor = np.array([row.values["floor"] for row in TABLE])
    assert (values["score"] >= 0).all()
    assert (values["test"] >= floor).all()
    assert (values["train"] > 0).all()
    assert (values["train"] <= values["objective"] * (1 + ROUNDING)).all()
    assert (values["train"] <= values["memorization"] * (1 + ROUNDING)).all()
    assert (values["objective"] <= 1 + ROUNDING).all()


def agree(left: dict[str, np.ndarray], right: dict[str, np.ndarray], accuracy: float) -> bool:
    return all((np.abs(left[name] / right[name] - 1) < accuracy).all() for name in COMPARED)


def test_very_many_draws_are_infinitely_many(problems):
    theory = gaussian_equivalence.predict_many
    limit = many(theory, [dataclasses.replace(p, m=math.inf) for p in problems])
    assert agree(many(theory, [dataclasses.replace(p, m=10**25) for p in problems]), limit, 1e-9)
    assert not agree(many(theory, [dataclasses.replace(p, m=10**5) for p in problems]), limit, 1e-6)


def with_identity(problems, psi_p: float):
    """psi_p features without an activation, at psi_p times the ridge."""
    model = simdiff.models.RandomFeatures(psi_p, "identity")
    return [
        dataclasses.replace(p, model=model, trainer=simdiff.trainers.Ridge(p.trainer.ridge * psi_p))
        for p in problems
    ]


def test_very_many_linear_features_are_a_linear_denoiser(problems):
    """Two theories that share neither the fixed point nor the second-order response."""
    linear = [dataclasses.replace(p, model=simdiff.models.Linear()) for p in problems]
    expected = many(linear_denoiser.predict_many, linear)
    theory = gaussian_equivalence.predict_many
    assert agree(many(theory, with_identity(problems, 1e16)), expected, ACCURACY)
    assert not agree(many(theory, with_identity(problems, 1e3)), expected, ACCURACY)


FLOWS = (1, 4, 8, 10, 15, 17, 22, 36, 38, 44, 47, 53)
"""Problems with few nodes: the others take seconds each."""


@pytest.mark.heavy
def test_long_flow_ends_at_the_ridge_minimiser(problems, found):
    values, early = found[0], 0
    for k in FLOWS:
        ridge = TABLE[k].point.ridge
        trainer = simdiff.trainers.GradientFlow(times=(1e-3 / ridge, 60.0 / ridge), ridge=ridge)
        curves = gradient_flow.predict(dataclasses.replace(problems[k], trainer=trainer))
        for name in COMPARED:
            assert curves[name][1] == pytest.approx(values[name][k], rel=ACCURACY)
        early += any(abs(curves[name][0] / values[name][k] - 1) > ACCURACY for name in COMPARED)
    assert early >= 4  # in the others a large ridge leaves less than 1e-6 to learn


@settings(derandomize=True, database=None, deadline=None, max_examples=25)
@given(point=points() | even_points)
def test_whatever_hypothesis_finds_is_possible(point):
    values = simdiff.predict(problem(point))
    floor = values["test"] - -math.expm1(-2 * point.t) * values["score"]
    assert all(0 <= value < math.inf for value in values.values())
    assert floor >= -1e-9 * values["test"]
    assert values["train"] <= values["objective"] * (1 + ROUNDING) <= 1 + 2 * ROUNDING
