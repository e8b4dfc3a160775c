"""Data and arguments that cannot be: one line each, before anything is computed."""

import math
import warnings

import numpy as np
import pytest

import simdiff
from simdiff.analysis import errors_given_weights
from simdiff.data import Digits, Elliptical, Images, Spiked
from simdiff.models import Linear, RandomFeatures
from simdiff.trainers import Ridge

RNG = np.random.default_rng(0)
POINTS = {
    "few": RNG.standard_normal((20, 6)),
    "same": np.ones((50, 6)),
    "holes": np.where(RNG.random((50, 6)) < 0.1, np.nan, 1.0),
    "none": np.zeros((0, 6)),
    "twice": np.repeat(RNG.standard_normal((30, 6)), 2, axis=0),
}


@pytest.fixture
def images(tmp_path):
    def make(name):
        np.save(tmp_path / f"{name}.npy", POINTS[name])
        return Images(str(tmp_path / f"{name}.npy"))

    return make


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda of: simdiff.LinearSampling(of("few"), Ridge(0.1), psi_n=4.0), "psi_n: got 4.0; .*20 points"),
        (lambda of: simdiff.Generations(of("few"), psi_n=4.0), "psi_n: got 4.0; .*20 points"),
        (
            lambda of: simdiff.DenoisingScoreMatching(of("few"), Linear(), Ridge(0.1), 4.0, math.inf, 0.1),
            "psi_n: got 4.0; .*20 points",
        ),
        (lambda of: of("same"), "they are all the same"),
        (lambda of: of("holes"), "samples hold NaN or infinity"),
        (lambda of: of("none"), "none of them empty"),
        (lambda of: Elliptical.fit(POINTS["same"]), "they are all the same"),
        (lambda of: Elliptical.fit(POINTS["holes"]), "finite numbers"),
        (lambda of: Elliptical(radius=[-1.0, 2.0]), "data.radius: got"),
        (lambda of: Spiked(0.5), "data.spike: got 0.5"),
        (lambda of: simdiff.LinearSampling(psi_n=0), "psi_n: got 0"),
        (lambda of: simdiff.LinearSampling(splits=3), "splits: got 3"),
        (lambda of: simdiff.Generations(psi_n=0), "psi_n: got 0"),
        (lambda of: simdiff.Generations(generations=0), "generations: got 0"),
        (lambda of: simdiff.Generations(keep=-0.1), "keep: got -0.1"),
        (lambda of: simdiff.Generations(keep=1.5), "keep: got 1.5"),
        (lambda of: simdiff.Generations(keep=float("nan")), "keep: got nan"),
        (
            lambda of: simdiff.predict(simdiff.LinearSampling(), theory="leave_one_out"),
            "a finite set of points",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(call, message, images):
    with pytest.raises(simdiff.InputError, match=message) as raised:
        call(images)
    assert "\n" not in str(raised.value)


def test_points_that_repeat_others_are_counted_in_a_note(images):
    notes = simdiff.LinearSampling(images("twice"), Ridge(0.1), psi_n=2.0).notes()
    assert any("30 of the 60 points repeat an earlier one" in note for note in notes)


def test_a_theory_without_a_solution_is_nan_and_says_why():
    problem = simdiff.LinearSampling(Digits(components=40), psi_n=2.0, samples=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = simdiff.predict(problem, theory="leave_one_out")
    assert all(math.isnan(value) for value in found.values())
    assert any("leave_one_out at N = 80 is nan" in str(each.message) for each in told)


def test_weights_that_do_not_belong_to_the_points_are_refused():
    law = Digits(components=10)
    problem = simdiff.DenoisingScoreMatching(law, RandomFeatures(1.0), Ridge(0.1), 2.0, 1, 0.1)
    for weights in (np.ones((4, 9)), np.ones(10), np.full((4, 10), np.nan)):
        with pytest.raises(simdiff.InputError, match="weights: got"):
            errors_given_weights(problem, weights)
