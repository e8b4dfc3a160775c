"""The measured deviations against values known in closed form, and the warnings in both directions."""

import math

import numpy as np
import pytest

from simdiff import DenoisingScoreMatching
from simdiff.analysis.diagnosis import Diagnosis, _measured_warning, diagnose
from simdiff.data import Gaussian, HiddenManifold, LinearManifold, PowerLaw
from simdiff.errors import InputError
from simdiff.models import RandomFeatures
from simdiff.trainers import Ridge

D = 160
TWO = Gaussian(([0.25, 1.75], [0.5, 0.5]))


def even(x):
    return x * x


@pytest.fixture(scope="module")
def found():
    """Every problem is diagnosed once."""
    problems = {
        "gaussian": DenoisingScoreMatching(),
        "two": DenoisingScoreMatching(TWO, RandomFeatures(1.0, "relu"), t=0.3),
        "hidden": DenoisingScoreMatching(HiddenManifold(0.5, "tanh")),
        "even": DenoisingScoreMatching(HiddenManifold(0.5, even)),
        "tiny": DenoisingScoreMatching(LinearManifold(0.02)),
        "spiked": DenoisingScoreMatching(PowerLaw(1.5)),
        "biased": DenoisingScoreMatching(HiddenManifold(0.5, "relu", centred=False)),
    }
    known: dict[str, Diagnosis] = {}

    def look(name):
        if name not in known:
            known[name] = diagnose(problems[name], D)
        return known[name]

    return look


def value(diagnosis, quantity, column="empirical"):
    return diagnosis.table.set_index("quantity").loc[quantity, column]


def z_score(diagnosis, quantity, expected):
    return (value(diagnosis, quantity) - expected) / value(diagnosis, quantity, "stderr")


# --- what is measured


def test_measured_moments_have_their_closed_forms(found):
    """Fluctuations of order 1/d for Gaussian data; |t| with 7 degrees of freedom exceeds 6 in 5e-4."""
    two, a2 = found("two"), math.exp(-0.6)
    variances = a2 * np.array([0.25, 1.75]) + (1 - a2)
    assert variances.mean() == pytest.approx(1.0)
    assert abs(z_score(two, "length of x_t", 2 * np.mean(variances**2) / D)) < 6
    assert abs(z_score(two, "<s^2>", 1 + 0.75**2)) < 6
    assert abs(z_score(two, "<s>", 1.0)) < 6
    assert abs(z_score(two, "length of x_t", 2 / D)) > 6
    assert abs(z_score(two, "<s^2>", 1.0)) > 6


@pytest.mark.heavy
def test_biases_of_features_are_their_known_fluctuations(found):
    """A mean of x gives pre-activations a bias of variance a^2 (E sigma)^2; relu's mean is 1/sqrt(2 pi)."""
    biased = found("biased")
    expected = math.exp(-0.2) / (2 * math.pi)
    assert value(biased, "pre-activation biases") == pytest.approx(expected, rel=0.15)
    assert abs(z_score(found("hidden"), "pre-activation biases", 0.0)) < 6
    # E relu = sqrt(v / 2 pi) at variance v = w' Sigma_t w / d, whose own variance is 2 tr Sigma_t^2 / d^2.
    two, a2 = found("two"), math.exp(-0.6)
    spread = 2 * np.mean((a2 * np.array([0.25, 1.75]) + (1 - a2)) ** 2) / D
    assert value(two, "feature biases") == pytest.approx(spread / (8 * math.pi), rel=0.15)


def test_constants_agree_up_to_terms_of_order_one_over_d(found):
    for name in ("gaussian", "two", "hidden"):
        table = found(name).table.set_index("quantity")
        assert np.all(np.abs(table["deviation"]) < 4 * table["deviation_stderr"] + 4 / D), name
    assert abs(z_score(found("gaussian"), "mu1", 1.1 * value(found("gaussian"), "mu1"))) > 10


def test_the_same_seed_gives_the_same_numbers(found):
    again = diagnose(DenoisingScoreMatching(), D)
    assert again.table.equals(found("gaussian").table)
    assert not diagnose(DenoisingScoreMatching(), D, seed=1).table.equals(again.table)


# --- warnings


@pytest.mark.parametrize("name", ["gaussian", "two", "hidden"])
def test_nothing_is_said_where_equivalence_holds(found, name):
    assert found(name).warnings == ()
    assert str(found(name)).endswith(f"nothing against Gaussian equivalence at d = {D}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("even", "test_diagnosis:even has hardly a linear part (0.0% of its variance)"),
        ("tiny", "length of x_t: |x_t|^2 varies between samples"),
        ("spiked", "in doubt"),
        ("biased", "pre-activation biases: features have random biases"),
    ],
)
def test_doubtful_cases_are_named(found, name, words):
    assert any(words in text for text in found(name).warnings)
    assert f"warning: {found(name).warnings[0]}" in str(found(name))


def test_deviations_that_fall_with_d_are_told_from_those_that_do_not(found):
    trends = {
        name: [text.split("; ")[1] for text in found(name).warnings if text.startswith("length")]
        for name in ("tiny", "spiked")
    }
    assert trends["tiny"] == ["it falls as d grows, so the limit may hold, but this size is far from it"]
    assert trends["spiked"] == [
        "it does not fall like 1/d, so extrapolation is in doubt, and the limit with it"
    ]


def test_small_times_need_a_ridge_that_covers_the_noise():
    late = DenoisingScoreMatching(t=1e-4, trainer=Ridge(1e-6))
    assert any("t = 0.0001 is very small" in text for text in diagnose(late, D).warnings)
    covered = DenoisingScoreMatching(t=1e-4, trainer=Ridge(1e-2))
    assert not any("very small" in text for text in diagnose(covered, D).warnings)


def row(deviation, quarter, stderr=1e-4):
    errors = {"deviation_stderr": stderr, "quarter_stderr": stderr}
    return {"quantity": "mu1", "deviation": deviation, "quarter": quarter, **errors}


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (row(0.029, 0.116), ""),
        (row(-0.031, -0.124), "it falls"),
        (row(0.031, 0.05), "does not fall"),
        (row(0.011, 0.022), "does not fall"),
        (row(0.009, 0.018), ""),
        (row(0.011, 0.04), ""),
        (row(0.1, 0.1, stderr=0.03), ""),
    ],
)
def test_the_rule_of_a_warning(measured, words):
    text = _measured_warning(measured, 400)
    assert words in text
    assert bool(text) == bool(words)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="problem: got 'gaussian'"):
        diagnose("gaussian")
    with pytest.raises(InputError, match="d: got 20; allowed: an integer >= 40"):
        diagnose(DenoisingScoreMatching(), 20)
    with pytest.raises(InputError, match="seed: got -1"):
        diagnose(DenoisingScoreMatching(), 40, seed=-1)
