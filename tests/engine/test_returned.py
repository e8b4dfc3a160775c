"""What a trial may return, and how its metrics and fields may be called: all told before a trial runs."""

import dataclasses

import jax.numpy as jnp
import pytest
from toy_problems import Mean

import simdiff
from simdiff.engine import run_trials
from simdiff.errors import InputError
from simdiff.store.schema import TYPES
from simdiff.validation.columns import COLUMNS


@dataclasses.dataclass(frozen=True)
class Gives(simdiff.Problem):
    """Returns what its class says."""

    found = None
    metrics = (simdiff.Metric("value"),)

    def trial(self, key, d):
        return self.found


def giving(value):
    return type("Gives", (Gives,), {"found": value})()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, r"Gives\.trial: got 'None'; allowed: a mapping"),
        (1.5, r"Gives\.trial: got 'a float'; allowed: a mapping"),
        (jnp.ones(()), r"Gives\.trial: got 'a .*Array.*'; allowed: a mapping"),
        ([("value", 1.0)], r"Gives\.trial: got 'a list'"),
        ({"value": 1.0 + 2.0j}, r"Gives\.trial\['value'\]: got 'complex128'; allowed: real numbers"),
        ({"value": jnp.ones((), jnp.complex64)}, r"Gives\.trial\['value'\]: got 'complex64'.*imaginary part"),
        ({"value": None}, r"Gives\.trial\['value'\]: .*allowed: real numbers"),
        ({"value": "3"}, r"Gives\.trial\['value'\]: .*allowed: real numbers"),
        ({"value": jnp.ones(3)}, r"Gives\.trial\['value'\]: got \(3,\); allowed: shape \(\)"),
        ({"other": 1.0}, r"Gives\.trial: got \['other'\]; allowed: \['value'\]"),
    ],
    ids=str,
)
def test_what_is_no_real_metric_is_named_before_a_trial_runs(value, words, monkeypatch):
    monkeypatch.setattr("simdiff.engine.batch_program.to_host", lambda found: pytest.fail("a trial ran"))
    with pytest.raises(InputError, match=words):
        simdiff.simulate(giving(value), d=5, trials=1)


@pytest.mark.parametrize("value", [1.5, 2, True, jnp.ones((), jnp.bfloat16)], ids=str)
def test_real_numbers_of_any_kind_are_metrics(value):
    assert simdiff.simulate(giving({"value": value}), d=5, trials=2)["value"].tolist() == [float(value)] * 2


def called(*names):
    return type("Called", (Mean,), {"metrics": tuple(simdiff.Metric(name) for name in names)})()


def with_field(name):
    made = dataclasses.make_dataclass("Holds", [(name, float, 1.0)], bases=(Gives,), frozen=True)
    return made()


VERBS = {
    "predict": lambda problem: simdiff.predict(problem, lambda p: {}),
    "simulate": lambda problem: simdiff.simulate(problem, d=5, trials=1),
    "validate": lambda problem: simdiff.validate(problem, lambda p: {}, sizes=(5, 10)),
}


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(
        "simdiff.engine.trials.prepare", lambda *arguments: pytest.fail("something was computed")
    )


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("name", TYPES)
def test_no_metric_is_called_like_a_column_of_trials(name, verb, nothing_runs):
    with pytest.raises(InputError, match=rf"Called\.metrics: got '{name}'; allowed: any name but .*rename"):
        verb(called("value", name))


@pytest.mark.parametrize("name", COLUMNS)
def test_no_field_is_called_like_a_column_of_the_summary(name, nothing_runs):
    with pytest.raises(InputError, match=rf"Holds\.{name}: got 'a field'; allowed: any name but .*rename"):
        VERBS["validate"](with_field(name))


@pytest.mark.parametrize("names", [("value", "value"), ("value", "")], ids=str)
def test_metrics_have_names_that_tell_them_apart(names, nothing_runs):
    with pytest.raises(InputError, match=r"Called\.metrics: got .*; allowed: names that are texts, each"):
        VERBS["simulate"](called(*names))


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(InputError, match=r"metric\.name: got 3; allowed: an instance of str"):
        called("value", 3)


def test_names_that_no_table_uses_are_free():
    problem = type("Free", (Gives,), {"found": {"trial_": 1.0}, "metrics": (simdiff.Metric("trial_"),)})()
    assert next(iter(run_trials(problem, 5, 0, [0])))["trial_"].tolist() == [1.0]
    simdiff.api.check_problem(with_field("metric_"))
    for own in (simdiff.DenoisingScoreMatching(), simdiff.LinearSampling(simdiff.data.Gaussian(), psi_n=2.0)):
        simdiff.api.check_problem(own)
