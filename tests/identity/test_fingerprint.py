"""Digests tell the user's code from other code of the same name; those of simdiff's own problems stay."""

import copy
import dataclasses
import enum
import functools
import importlib.util
import json
import pathlib
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_problems
from toy_problems import Mean

import simdiff
from simdiff.engine import whole_sizes
from simdiff.identity.description import describe, flatten
from simdiff.identity.fingerprint import fingerprint
from simdiff.problems.denoising.problem import check_draws


def denoising(law, model, ridge, psi_n, m):
    trainer = simdiff.trainers.Ridge(ridge)
    return simdiff.DenoisingScoreMatching(law, model, trainer, psi_n=psi_n, m=m, t=0.2)


FLAT, LEVELS = simdiff.data.Gaussian(), simdiff.data.Gaussian(([0.5, 1.5], [0.5, 0.5]))
features, linear = simdiff.models.RandomFeatures, simdiff.models.Linear
KNOWN = {  # of trials stored before digests told code
    "ce91ee128e127a1e": denoising(FLAT, features(4.0, "tanh"), 1e-2, 2.0, 1),
    "0d3c9f30f41f6bb0": denoising(LEVELS, features(4.0, "relu"), 1e-2, 0.5, 3),
    "79cc76dabb904dcc": denoising(FLAT, features(1.0, "tanh"), 1e-2, 2.0, np.inf),
    "ea4744d909ecd239": denoising(FLAT, features(1.0, "jax.nn:silu"), 1e-2, 1.0, np.inf),
    "d88456dc8d19a9dd": denoising(FLAT, linear(), 1e-2, 0.5, 1),
    "d844d07c35e6f253": denoising(simdiff.data.HiddenManifold(0.5, "tanh"), features(1.0), 1e-2, 2.0, 1),
    "b6d219d433b00f0f": simdiff.LinearSampling(FLAT, psi_n=4.0),
    "73c03c906143f633": simdiff.LinearSampling(
        LEVELS, simdiff.trainers.Ridge(1e-2), simdiff.sampling.ReverseSDE(30, 4.0), 0.5, samples=4
    ),
    "bb008100a2300c01": simdiff.EnsembleSampling(
        simdiff.data.PointMasses("line"),
        simdiff.models.LazyNetwork(),
        simdiff.sampling.VariancePreserving(),
        simdiff.trainers.Ridge(0.1),
        steps=8,
        samples=32,
        fresh=32,
        P=64,
    ),
}


@pytest.mark.parametrize("digest", KNOWN)
def test_digests_of_problems_without_code_of_the_user_stay(digest):
    problem = KNOWN[digest]
    assert problem.digest() == problem.stream() == digest
    assert problem.code() == {}


TEXT = '''
import dataclasses, functools
import jax, jax.numpy as jnp
import simdiff

SCALE = 2.0
OPTIONS = {"power": 2}

def helper(x):
    """Helps."""
    return SCALE * x ** OPTIONS["power"]

class Law:
    def draw(self, key):
        return jax.random.normal(key, ())

@dataclasses.dataclass(frozen=True)
class Base(simdiff.Problem):
    width: float = 1.0
    metrics = (simdiff.Metric("value", "a number"),)
    shift = 0.5

    def trial(self, key, d):
        # what a trial does
        return {"value": self.inner(Law().draw(key), d) + self.shift}

    def inner(self, x, d, factor=1.0):
        return factor * helper(x) + jnp.tanh(x) / d

    def cost(self, d):
        return 1e6 * d

class Derived(Base):
    def trial(self, key, d):
        return super().trial(key, d)
'''
EDITS = {
    "a constant of the module": ("SCALE = 2.0", "SCALE = 2.5"),
    "a dictionary of the module": ('"power": 2', '"power": 3'),
    "a function that is called": ("SCALE * x", "SCALE + x"),
    "a class that is used": ("normal(key, ())", "uniform(key, ())"),
    "the trial": ("+ self.shift}", "- self.shift}"),
    "a class attribute": ("shift = 0.5", "shift = 0.25"),
    "a method": ("jnp.tanh(x)", "jnp.sin(x)"),
    "a default argument": ("factor=1.0", "factor=2.0"),
}
NOT_CODE = {
    "comments": ("# what a trial does", "# what every trial does\n        # at size d"),
    "docstrings": ("Helps.", "Helps a lot."),
    "layout": ("return SCALE * x", "return (\n        SCALE) * x"),
    "cost": ("1e6 * d", "1e7 * d"),
    "words of a metric": ("a number", "any number"),
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Modules of the same name from different texts."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(text):
        path = tmp_path / "of_the_user.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("of_the_user", path)
        found = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "of_the_user", found)
        spec.loader.exec_module(found)
        return found

    return load


@pytest.mark.parametrize("name", ["Base", "Derived"])
@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS)
def test_an_edit_of_what_trials_run_changes_the_digest_and_no_key(module, name, old, new):
    assert TEXT.count(old) == 1
    before, after = (getattr(module(text), name)() for text in (TEXT, TEXT.replace(old, new)))
    assert before.digest() != after.digest()
    assert list(before.code()) == list(after.code()) == [name]
    assert before.stream() == after.stream()


@pytest.mark.parametrize(("old", "new"), NOT_CODE.values(), ids=NOT_CODE)
def test_what_does_not_run_leaves_the_digest(module, old, new):
    assert TEXT.count(old) == 1
    before, after = (module(text).Derived() for text in (TEXT, TEXT.replace(old, new)))
    assert before.digest() == after.digest()


def test_a_version_stands_for_the_code(module):
    versions = [
        TEXT.replace("shift = 0.5", f"version = {v}; shift = {s}") for v, s in ((1, 0.5), (1, 0.25), (2, 0.5))
    ]
    first, edited, second = (module(text).Base().digest() for text in versions)
    assert first == edited != second


def test_a_digest_is_the_same_in_another_process_and_with_counters(module):
    counting = TEXT.replace("def helper", "CALLS = 0\ndef helper").replace(
        "    return SCALE", "    global CALLS\n    CALLS += 1\n    return SCALE"
    )
    loaded = module(counting)
    before = loaded.Base().digest()
    loaded.helper(1.0)
    assert loaded.CALLS == 1
    assert loaded.Base().digest() == before == module(counting).Base().digest()


def with_function(function):
    return simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.0, function))


def scaled(factor):
    return lambda x: jnp.tanh(factor * x)


def test_functions_that_share_a_name_have_digests_of_their_own():
    lambdas = [with_function(f).digest() for f in (lambda x: jnp.tanh(x), lambda x: jnp.sin(x))]
    closures = [with_function(scaled(c)).digest() for c in (1.0, 1.0001, 2.0)]
    beyond = [with_function(lambda x, c=c: jnp.minimum(x, c)).digest() for c in (20.0, 2000.0)]
    assert len({*lambdas, *closures, *beyond}) == 6 + (closures[0] != lambdas[0])
    assert with_function(scaled(1.0)).digest() == closures[0]
    assert with_function("tanh").code() == with_function(jnp.tanh).code() == {}


@pytest.mark.parametrize(
    "grows", [lambda x: x**3, lambda x: x * jnp.abs(x) ** 4, jnp.sinh], ids=["3", "5", "sinh"]
)
def test_what_grows_far_away_hides_no_difference_near_zero(grows):
    found = [with_function(lambda x, c=c: grows(x) + c * jnp.tanh(x)).digest() for c in (0.0, 1e-3, 1.0)]
    assert len({*found}) == 3
    twice = [with_function(lambda x, c=c: c * grows(x)).digest() for c in (1.0, 2.0)]
    assert len({*twice}) == 2


def test_one_function_written_in_two_ways_is_one_activation(module):
    texts = ("lambda x: jnp.tanh(x)", "lambda x: -jnp.tanh(-x)")
    found = [with_function(module(f"import jax.numpy as jnp\nact = {text}").act).code() for text in texts]
    assert found[0] == found[1] != {}


def test_code_of_theories_closures_and_partials(module):
    def closure(c, a):
        return lambda x: c * x + a.sum()

    def tell(*functions):
        return len({fingerprint(f) for f in functions})

    ones = np.ones(3)
    assert tell(closure(1, ones), closure(1, np.ones(3))) == 1
    assert tell(closure(1, ones), closure(2, ones), closure(1, 2 * ones)) == 3
    assert tell(functools.partial(closure, 1), functools.partial(closure, 2)) == 2
    assert tell(jax.jit(lambda x: x + 1), jax.jit(lambda x: x + 2), jax.jit(lambda x: x + 1)) == 2
    assert fingerprint(jnp.tanh) == fingerprint(np.sin) == fingerprint(simdiff.theory.evaluate) == ""
    assert tell(toy_problems.mean_theory, toy_problems.wrong_theory) == 2


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Holds(simdiff.Problem):
    """A field of any kind."""

    field: object = None
    metrics = (simdiff.Metric("value"),)

    def trial(self, key, d):
        return {"value": jax.random.normal(key)}


FIELDS = [
    *(np.arange(3.0), np.arange(4.0), np.zeros(100), np.ones(100), jnp.ones(100, jnp.float32)),
    *({"a": 1}, {"a": 2}, {1: "a"}, {"1": "a"}, {"a": np.ones(2)}, {"a", "b"}),
    *(Colour.RED, Colour.BLUE, pathlib.Path("a/b"), pathlib.Path("a/c")),
    *(
        scaled(1.0),
        scaled(2.0),
        toy_problems.mean_theory,
        jnp.tanh,
        simdiff.data.Gaussian,
        1 + 2j,
        b"a",
        None,
    ),
]


def test_fields_of_any_kind_are_described_and_told_apart():
    problems = [Holds(field) for field in FIELDS]
    assert len({problem.digest() for problem in problems}) == len(FIELDS)
    for problem, field in zip(problems, FIELDS, strict=True):
        assert json.loads(json.dumps(problem.describe())) == problem.describe()
        if not callable(field):
            assert Holds(copy.copy(field)).digest() == problem.digest()
    with pytest.raises(simdiff.InputError, match=r"problem: got <object object .*description\(\)"):
        Holds(object()).digest()
    assert simdiff.simulate(problems[0], d=5, trials=2)["value"].nunique() == 2


def test_numbers_of_numpy_are_numbers():
    found = [check_draws(m) for m in (np.int64(2), np.uint8(2), np.float32(2.0), np.float64("inf"))]
    assert found == [2, 2, 2, np.inf]
    assert [type(m) for m in found] == [int, int, int, float]
    assert whole_sizes(Mean(), np.array([20, 40])) == whole_sizes(Mean(), [20, 40])
    assert len(simdiff.validate(Mean(), toy_problems.mean_theory, sizes=np.array([20, 40])).table) == 2


def test_a_field_called_type_does_not_hide_the_class():
    fields = [("type", str, "x")]
    one, two = (dataclasses.make_dataclass(n, fields, bases=(Holds,), frozen=True)() for n in ("One", "Two"))
    assert one.digest() != two.digest()
    assert one.stream() != two.stream()
    assert flatten({"problem": one.describe()})["problem"] == "One"
    assert describe(one)["field type"] == "x"


@pytest.mark.parametrize("name", simdiff.functions.activation_names())
def test_problems_travel_to_other_processes(name):
    problem = with_function(name)
    for again in (pickle.loads(pickle.dumps(problem)), copy.deepcopy(problem)):
        assert again == problem
        assert (again.digest(), hash(again)) == (problem.digest(), hash(problem))


def test_problems_with_functions_of_jax_or_of_a_module_travel():
    for function in (jnp.tanh, jax.nn.gelu, "jax.nn:gelu", jnp.sin):
        problem = with_function(function)
        assert pickle.loads(pickle.dumps(problem)) == copy.deepcopy(problem) == problem
    own = with_function(scaled(1.0))
    assert copy.deepcopy(own) == own
