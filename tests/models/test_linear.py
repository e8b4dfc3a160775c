"""The linear denoiser as a part of a problem: what it says of itself, and what takes or refuses it."""

import math

import pytest

import simdiff
from simdiff.models import Linear, RandomFeatures
from simdiff.parts.build import build_problem
from simdiff.trainers import GradientFlow, Optax, Ridge


def problem(**fields):
    fields = {"model": Linear(), "trainer": Ridge(1e-2), "psi_n": 1.5, "m": 2} | fields
    return simdiff.DenoisingScoreMatching(**fields)


def test_it_is_built_from_a_configuration():
    case = build_problem({"model": {"type": "Linear", "bias": True}, "m": "inf"})
    assert case.model == Linear(bias=True)
    assert case.describe()["model"] == {"type": "Linear", "bias": True}
    assert case.at_size(50).model == case.model
    assert case.counts(50) == (100, 50)
    assert set(case.ratios()) == {"psi_n", "data.spectrum weight 0"}
    assert case.digest() != build_problem({"model": {"type": "Linear"}, "m": "inf"}).digest()


@pytest.mark.parametrize("bias", [1, "true", None])
def test_a_bad_bias_is_refused(bias):
    model = object.__new__(Linear)  # past the run-time type checks that only tests switch on
    object.__setattr__(model, "bias", bias)
    with pytest.raises(simdiff.InputError, match=r"model\.bias: got .*; allowed: true or false"):
        model.__post_init__()


def test_unknown_models_are_refused():
    case = problem()
    object.__setattr__(case, "model", "Linear")
    with pytest.raises(simdiff.InputError, match="an instance of ScoreNetwork"):
        case.__post_init__()
    with pytest.raises(simdiff.InputError, match="did you mean 'Linear'"):
        build_problem({"model": {"type": "Liner"}})
    with pytest.raises(simdiff.InputError, match="model: got 'psi_p'"):
        build_problem({"model": {"type": "Linear", "psi_p": 2}})


def test_every_trainer_has_its_theory():
    descent, adam = Optax("sgd", 0.1, 10), Optax("adam", 0.1, 10)
    for trainer in (Ridge(1.0), GradientFlow((1.0,)), descent):
        assert problem(trainer=trainer).default_theory == "linear_denoiser"
        assert problem(trainer=trainer, model=RandomFeatures(1.0)).default_theory != "linear_denoiser"
    assert problem(trainer=adam).default_theory is None


def test_questions_to_theory_are_answered():
    case = problem()
    best = simdiff.best_ridge(case, "test")
    for ridge in (best.ridge / 1.3, best.ridge * 1.3):
        assert simdiff.predict(problem(trainer=Ridge(ridge)))["test"] > best.value
    found = simdiff.sample_complexity(case, "test", 1.1 * best.value, ridge="given")
    at = simdiff.predict(problem(psi_n=found.psi_n))
    assert at["test"] == pytest.approx(1.1 * best.value, rel=1e-4)
    stop = simdiff.best_stopping(problem(m=math.inf, psi_n=0.5), "test")
    assert 0.0 < stop.time < 1e3
    assert stop.ridge_value == pytest.approx(simdiff.best_ridge(problem(m=math.inf, psi_n=0.5), "test").value)


@pytest.mark.parametrize("question", [simdiff.diagnose, simdiff.feature_spectrum])
def test_questions_about_features_are_refused(question):
    with pytest.raises(simdiff.InputError) as caught:
        question(problem())
    assert caught.value.field == "model"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("theory", ["gaussian_equivalence", "gradient_flow"])
def test_theories_of_random_features_are_refused(theory):
    trainer = Ridge(1.0) if theory == "gaussian_equivalence" else GradientFlow((1.0,))
    with pytest.raises(simdiff.InputError, match="random features"):
        simdiff.predict(problem(trainer=trainer), theory=theory)
    with pytest.raises(simdiff.InputError, match="Linear"):
        simdiff.predict(problem(trainer=trainer, model=RandomFeatures(1.0)), theory="linear_denoiser")
