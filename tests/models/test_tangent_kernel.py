"""Tangent kernels: closed forms against finite networks at the start, and lazy models against NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.models import LazyNetwork, WideNetwork
from simdiff.models.ensemble.wide_network import Network

SPAN = np.array([0.01, 1.0])
RNG = np.random.default_rng(5)
X, T = jnp.asarray(RNG.uniform(-1.5, 1.5, (6, 2))), jnp.asarray(RNG.uniform(0.01, 1, 6))
DRAWS, KEY = 24, jax.random.key(0)


@functools.partial(jax.jit, static_argnums=0)
def empirical(network, keys):
    """Inner products of the gradients of the first output, and of those of two outputs, (keys, 6, 6) each."""

    def one(key):
        start, z = network.start(key, 2, 2, "float64"), network.limit.inputs(X, T, SPAN)
        still = jax.lax.stop_gradient(start)
        slopes = jax.jacrev(lambda now: network.values(Network(now, still), X, T, SPAN))(start)
        flat = jnp.concatenate([part.reshape(len(z), 2, -1) for part in slopes], axis=2)
        return flat[:, 0] @ flat[:, 0].T, flat[:, 0] @ flat[:, 1].T

    return jax.lax.map(one, keys)


@functools.partial(jax.jit, static_argnums=0)
def kernel(network, x=X, t=T):
    z = network.inputs(x, t, SPAN)
    return network.kernel(z, z)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_the_closed_form_is_the_limit_of_wide_networks(activation):
    """The mean over networks is the kernel; one network's error falls like width^-1/2."""
    wanted = kernel(LazyNetwork(activation, scale=1.3, bias=0.7))
    errors = []
    for width in (64, 1024):
        network = WideNetwork(width, activation, scale=1.3, bias=0.7)
        same, other = (np.asarray(part) for part in empirical(network, jax.random.split(KEY, DRAWS)))
        errors.append(np.sqrt(np.mean((same - wanted) ** 2)))
    # 24 networks of a few independent entries each: root mean squares to 8%, the exponent to 0.04
    assert np.log(errors[1] / errors[0]) / np.log(16) == pytest.approx(-0.5, abs=0.12)
    for found, target in ((same, wanted), (other, 0.0)):
        pull = (found.mean(0) - target) / (found.std(0, ddof=1) / np.sqrt(DRAWS))
        assert np.sqrt(np.mean(pull**2)) < 2.0  # entries deviate together
    for wrong in (LazyNetwork(activation, scale=1.3), LazyNetwork(activation, scale=1.2, bias=0.7)):
        pull = (same.mean(0) - kernel(wrong)) / (same.std(0, ddof=1) / np.sqrt(DRAWS))
        assert np.sqrt(np.mean(pull**2)) > 5.0


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_kernels_keep_their_digits_in_single_precision(activation):
    """Beside a training draw, too, where the angle of two inputs vanishes."""
    model = LazyNetwork(activation)
    near, times = np.concatenate([X, X + 1e-4, 50.0 * X]), np.tile(T, 3)
    exact = kernel(model, jnp.asarray(near), jnp.asarray(times))
    single = kernel(model, jnp.asarray(near, jnp.float32), jnp.asarray(times, jnp.float32))
    scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    assert single.dtype == jnp.float32
    # inputs rounded to 6e-8 move the angle, and the kernel's cusp, by as much
    np.testing.assert_allclose(single / scale, exact / scale, rtol=0, atol=2e-6)


def test_a_model_is_a_sum_over_its_draws_whatever_their_number():
    model, rng = LazyNetwork("erf"), np.random.default_rng(0)
    x, t = np.concatenate([X, rng.normal(size=(300, 2))]), np.append(T, np.full(300, 0.4))
    whole = np.asarray(kernel(model, jnp.asarray(x), jnp.asarray(t)))
    evaluated = jax.jit(model.values)
    for draws in (3, 300):
        places = model.inputs(jnp.asarray(x[6 : 6 + draws]), jnp.asarray(t[6 : 6 + draws]), SPAN)
        fitted = model.expansion(jnp.asarray(rng.normal(size=(2, draws))), places)
        wanted = whole[:6, 6 : 6 + draws] @ np.asarray(fitted.coefficients).T
        np.testing.assert_allclose(evaluated(fitted, X, T, SPAN), wanted, rtol=1e-10, atol=1e-10)


def test_narrow_networks_start_as_the_first_units_of_wide_ones():
    key = jax.random.key(3)
    narrow, wide = (WideNetwork(width).start(key, 1, 1, "float64") for width in (5, 9))
    np.testing.assert_array_equal(narrow.w, wide.w[:5])
    np.testing.assert_array_equal(narrow.a, wide.a[:, :5])


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: LazyNetwork("tanh"), "model.activation.*relu, erf"),
        (lambda: LazyNetwork(scale=0.0), "model.scale"),
        (lambda: LazyNetwork(bias=-1.0), "model.bias"),
        (lambda: LazyNetwork(target="noise"), "model.target"),
        (lambda: WideNetwork(0), "model.width"),
    ],
    ids=["activation", "scale", "bias", "target", "width"],
)
def test_bad_input_is_one_clear_message(make, field):
    with pytest.raises(simdiff.InputError, match=field) as caught:
        make()
    assert "\n" not in str(caught.value)
