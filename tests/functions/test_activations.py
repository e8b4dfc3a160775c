"""Kinks are found where they are and nowhere else; bad activations are refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simdiff.errors import InputError
from simdiff.functions import Activation, activation, activation_names
from simdiff.functions.activations import find_kinks
from simdiff.models import RandomFeatures

KINKED = {
    "relu": (jax.nn.relu, (0.0,)),
    "leaky relu": (jax.nn.leaky_relu, (0.0,)),
    "hard tanh": (lambda x: jnp.clip(x, -1.0, 1.0), (-1.0, 1.0)),
    "hard sigmoid": (jax.nn.hard_sigmoid, (-3.0, 3.0)),
    "selu": (jax.nn.selu, (0.0,)),
    "sign": (jnp.sign, (0.0,)),
    "step on a curve": (lambda x: jnp.tanh(x) + (x > 1 / 3), (1 / 3,)),
    "|x - 0.3|": (lambda x: jnp.abs(x - 0.3), (0.3,)),
    "small beside a steep slope": (lambda x: x**3 + jnp.abs(x), (0.0,)),
    "far out": (lambda x: x + jax.nn.relu(x - 7.5), (7.5,)),
    "stairs": (jnp.floor, tuple(range(-7, 8))),
    "float32 inside": (lambda x: jax.nn.relu(x.astype(jnp.float32) - 0.25), (0.25,)),
}

SMOOTH = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "softplus": jax.nn.softplus,
    "erf": jax.scipy.special.erf,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "cube": lambda x: x**3,
    "identity": lambda x: x,
    "narrow bump": lambda x: jnp.exp(-8 * x**2),
    "steep tanh": lambda x: jnp.tanh(30 * x),
    "float32 inside": lambda x: jnp.tanh(x.astype(jnp.float32)),
    "on a high plateau": lambda x: 1e3 + jnp.tanh(x),
}


@pytest.mark.parametrize("name", KINKED)
def test_kinks_and_jumps_are_found(name):
    fn, places = KINKED[name]
    found = [k for k in find_kinks(fn) if abs(k) < 7.9]
    np.testing.assert_allclose(found, places, atol=1e-7)


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_none(name):
    assert find_kinks(SMOOTH[name]) == ()


@pytest.mark.parametrize("name", activation_names())
def test_built_in_activations_state_their_kinks(name):
    built_in = activation(name)
    assert built_in.kinks == find_kinks(built_in.fn)
    assert built_in.description() == name


def test_a_function_keeps_its_kinks_and_its_name():
    found = activation(jax.nn.relu6)
    assert found.kinks == (0.0, 6.0)
    assert found.name.endswith(":relu6")
    assert activation(found) is found


def test_an_import_path_is_the_function(tmp_path, monkeypatch):
    (tmp_path / "my_rho.py").write_text(
        "import jax.numpy as jnp\ndef shifted(x):\n    return jnp.abs(x - 1)\n"
    )
    monkeypatch.chdir(tmp_path)
    found = activation("my_rho:shifted")
    assert found.name == "my_rho:shifted"
    assert found.kinks == (1.0,)
    assert RandomFeatures(2.0, "my_rho:shifted").activation == found


def test_names_may_be_written_another_way():
    assert activation("Hard-Tanh") == activation("hard_tanh")


BAD = {
    "typo": ("tahn", "did you mean 'tanh'"),
    "unknown": ("swoosh", "allowed: tanh, relu, .* or an import path"),
    "no module": ("no_such_module:rho", "no module named 'no_such_module'"),
    "no attribute": ("math:no_such_name", "math has no attribute 'no_such_name'"),
    "not a function": ("math:pi", "calling it failed: TypeError"),
    "not in JAX": ("math:tanh", "calling it failed"),
    "constant": (lambda x: 0 * x + 3, "constant"),
    "mean of the row": (lambda x: x - x.mean(), "depends on the others"),
    "softmax": (lambda x: jax.nn.softmax(jnp.atleast_1d(x)).reshape(x.shape), "depends on the others"),
    "sum": (jnp.sum, "depends on the others"),
    "not finite": (jnp.log, "not finite on"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_activation_is_refused(name):
    spec, words = BAD[name]
    with pytest.raises(InputError, match=words) as caught:
        activation(spec)
    assert caught.value.field == "model.activation"


@pytest.mark.parametrize("psi_p", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bad_width_is_refused(psi_p):
    with pytest.raises(InputError, match=r"model\.psi_p: got .* a finite number > 0"):
        RandomFeatures(psi_p)


def test_activations_compare_by_name_function_and_kinks():
    assert RandomFeatures(2.0) == RandomFeatures(2.0, "tanh")
    assert RandomFeatures(2.0) != RandomFeatures(2.0, "erf")
    assert isinstance(RandomFeatures(2.0).activation, Activation)
