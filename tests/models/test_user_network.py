"""Networks of the user's: how they are given, which parameters are trained, and what is said of bad ones."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.models.denoising.network_functions import outputs
from simdiff.models.denoising.point_effort import point_effort

KEY = jax.random.key(3)
OPTAX = simdiff.trainers.Optax("sgd", 0.1, steps=2, records=1)


def init(key, d):
    first, second = jax.random.split(key)
    return {
        "first": {"w": jax.random.normal(first, (2 * d, d))},
        "second": jax.random.normal(second, (d, 2 * d)),
    }


def apply(params, x):
    return params["second"] @ jnp.tanh(params["first"]["w"] @ x)


def fixed_width(key, d):
    return {"w": jax.random.normal(key, (8, d)), "b": jnp.zeros((d, 8))}


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Module:
    """A callable pytree, as modules of Equinox are."""

    w: Any
    gain: float = dataclasses.field(metadata={"static": True})

    def __call__(self, x, t=0.0, *, key=None):
        return self.gain * t * (self.w @ x)


def started(model, d=4, width=None):
    return model.functions.start(KEY, d, width or model.width(d), jnp.float32)


def problem(model, trainer=OPTAX, **fields):
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, **{"psi_n": 1.0, "m": 1} | fields)


def test_parameters_are_cast_parted_and_joined():
    start = started(simdiff.models.Network(init, apply, frozen=("first",)))
    assert [leaf.shape for leaf in jax.tree.leaves(start.trained)] == [(4, 8)]
    assert [leaf.shape for leaf in jax.tree.leaves(start.fixed)] == [(8, 4)]
    assert {leaf.dtype for leaf in jax.tree.leaves((start.trained, start.fixed))} == {jnp.dtype("float32")}
    x = jax.random.normal(KEY, (3, 4))
    given = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), init(KEY, 4))
    expected = jnp.stack([apply(given, row) for row in x])
    np.testing.assert_allclose(outputs(start, start.trained, x, jnp.ones(())), expected, rtol=1e-5)
    twice = jax.tree.map(lambda leaf: 2 * leaf, start.trained)
    np.testing.assert_allclose(outputs(start, twice, x, jnp.ones(())), 2 * expected, rtol=1e-5)


def test_the_ridge_is_on_what_is_named():
    def norm(**names):
        start = started(simdiff.models.Network(init, apply, **names))
        return float(start.squared_norm(start.trained))

    first, second = (float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(init(KEY, 4)))
    assert norm() == pytest.approx(first + second)
    assert norm(ridged="second") == pytest.approx(second)
    assert norm(frozen="second") == pytest.approx(first)


def test_a_module_that_can_be_called_needs_no_apply_and_is_given_t():
    model = simdiff.models.Network(lambda key, d: Module(jax.random.normal(key, (d, d)), 3.0))
    start = started(model)
    x = jnp.ones((1, 4))
    found = outputs(start, start.trained, x, jnp.asarray(0.5))
    np.testing.assert_allclose(found, 1.5 * (start.trained.w @ x[0])[None], rtol=1e-6)
    assert not np.allclose(found, outputs(start, start.trained, x, jnp.asarray(0.6)))


def test_functions_are_found_in_a_file(tmp_path, monkeypatch):
    text = "import jax\ndef init(key, d, p):\n    return jax.random.normal(key, (d, p))\n"
    text += "def apply(w, x):\n    return w @ w.T @ x\n"
    (tmp_path / "my_own_network.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    given = simdiff.models.Network("my_own_network.py:init", "my_own_network.py:apply", psi_p=2.0)
    assert started(given).trained.shape == (4, 8)
    named = problem(given)
    assert named.describe()["model"]["init"] == "my_own_network.py:init"
    assert "model" in named.code()
    with pytest.raises(simdiff.InputError, match=r"model.apply.*no attribute 'aply'.*"):
        simdiff.models.Network("my_own_network.py:init", "my_own_network.py:aply")
    with pytest.raises(simdiff.InputError, match="there is no file"):
        simdiff.models.Network("none.py:init", apply)


def test_the_code_of_both_functions_is_part_of_the_digest_and_not_of_the_stream():
    def other(params, x):
        return 2 * params["second"] @ jnp.tanh(params["first"]["w"] @ x)

    other.__qualname__ = apply.__qualname__
    first, second = (problem(simdiff.models.Network(init, each)) for each in (apply, other))
    assert first.stream() == second.stream()
    assert first.digest() != second.digest()
    assert first.digest() == problem(simdiff.models.Network(init, apply)).digest()


def test_whether_sizes_can_be_extrapolated_is_seen_in_the_shapes():
    assert simdiff.models.Network(init, apply).has_limit
    fixed = simdiff.models.Network(fixed_width, lambda params, x: params["b"] @ (params["w"] @ x))
    assert not fixed.has_limit
    assert dataclasses.replace(fixed, extrapolates=True).has_limit
    assert "cannot be extrapolated" in problem(fixed).notes()[-1]
    with pytest.raises(simdiff.InputError, match=r"sizes.*one size.*does not grow"):
        simdiff.validate(problem(fixed), sizes=[8, 12, 16])


def test_effort_is_counted_from_the_program():
    one = point_effort(simdiff.models.Network(init, apply).functions, 16, 1)
    assert one.parameters == 2 * 32 * 16
    assert one.flops == pytest.approx(2 * 2 * 32 * 16, rel=0.05)  # two products, and tanh
    assert one.numbers < 10 * 32
    model = simdiff.models.Network(init, apply)
    assert problem(model).cost(32) > 4 * problem(model).cost(16)
    assert problem(model).memory(32) > problem(model).memory(16) > 4 * one.parameters


def impure(key, d):
    return {"w": jnp.asarray(np.random.default_rng().standard_normal((d, d)))}


def on_host(params, x):
    return np.asarray(params["w"]) @ x


def square(key, d):
    return {"w": jax.random.normal(key, (d, d))}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ((square, lambda p, x: p["w"][:3] @ x), r"model.apply: got 'shape \(3,\).*shape \(8,\)"),
        ((square, lambda p, x: (p["w"] @ x, x)), r"model.apply.*several arrays"),
        ((square, lambda p, x: "no array"), r"model.apply"),
        ((impure, lambda p, x: p["w"] @ x), r"changes from call to call.*draw from the key"),
        ((square, on_host), r"model.apply.*JAX operations.*TracerArrayConversionError"),
        ((square, lambda p, x: p["v"] @ x), r"model.apply.*KeyError: 'v'"),
        ((lambda key, d: {"n": jnp.arange(d)}, lambda p, x: x), r"no parameter to train"),
        ((square, None), r"model.init.*a dict.*apply beside init"),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused_before_anything_runs(model, words):
    with pytest.raises(simdiff.InputError, match=words):
        problem(simdiff.models.Network(*model)).kernel(8)


def test_it_is_refused_as_clearly_before_memory_is_planned_and_where_init_fails():
    broken = problem(simdiff.models.Network(lambda key, d: {"w": key["a"]}, lambda p, x: x))
    bad = problem(simdiff.models.Network(square, lambda p, x: p["v"] @ x))
    for each, words in ((broken, "model.init"), (bad, "model.apply")):
        with pytest.raises(simdiff.InputError, match=words):
            simdiff.simulate(each, d=8)
        with pytest.raises(simdiff.InputError, match=words):
            simdiff.validate(each, sizes=(8, 12))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"predicts": "velocity"}, "model.predicts"),
        ({"init": "none"}, "model.init"),
        ({"apply": "nothing"}, "model.apply"),
        ({"psi_p": 0}, "model.psi_p"),
        ({"like": "tanh"}, "model.psi_p"),
        ({"like": "tan", "psi_p": 1.0}, "model.activation"),
        ({"exact": True}, "model.exact"),
        ({"frozen": ("",)}, "model.frozen"),
    ],
)
def test_bad_settings_name_the_field(fields, field):
    with pytest.raises(simdiff.InputError) as caught:
        simdiff.models.Network(**{"init": init, "apply": apply} | fields)
    assert caught.value.field == field


def test_frozen_names_must_exist():
    with pytest.raises(simdiff.InputError, match=r"model.frozen: got 'third'.*first.w, second"):
        problem(simdiff.models.Network(init, apply, frozen=("third",))).kernel(4)


def test_it_is_trained_by_steps_on_draws_that_can_be_made():
    model = simdiff.models.Network(init, apply)
    with pytest.raises(simdiff.InputError, match=r"trainer.*Optax"):
        problem(model, simdiff.trainers.Ridge(1e-2))
    with pytest.raises(simdiff.InputError, match=r"trainer.noise.*fresh"):
        problem(model, m=math.inf)


def test_networks_are_equal_where_their_functions_are():
    same = [problem(simdiff.models.Network(init, apply)).kernel(8)[0] for _ in range(2)]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    partial = simdiff.models.Network(functools.partial(init), apply)
    assert problem(partial).kernel(8)[0] != same[0]
