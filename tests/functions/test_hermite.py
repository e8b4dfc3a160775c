"""Hermite moments and the Mehler sum against closed forms and brute-force quadrature."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from simdiff.functions import activation
from simdiff.functions.hermite import hermite_moments, mehler_block, series_length

NODES = 160
"""Gauss-Hermite converges slowly for tanh at std = 1.7 (3e-6 with 48 nodes); trials stay near std = 1."""

ORDERS = 24
STD = np.array([0.6, 1.0, 1.7])
CORRELATION = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.15], [-0.2, 0.15, 1.0]])


def pair_averages(name, mean, orders=ORDERS):
    """E rho(u_i) rho(u_j) by the functions under test; E rho(u_i)^2 is integrated directly."""
    rho = activation(name)
    psi, second = hermite_moments(rho, jnp.asarray(mean), jnp.asarray(STD), orders, NODES)
    found = np.array(mehler_block(jnp.asarray(CORRELATION), psi, psi))
    np.fill_diagonal(found, second)
    return found


def arc_cosine():
    """ReLU: std_i std_j (sqrt(1 - r^2) + r (pi - arccos r)) / (2 pi). Cho and Saul 2009."""
    angle = np.arccos(CORRELATION)
    return np.outer(STD, STD) * (np.sin(angle) + CORRELATION * (np.pi - angle)) / (2 * np.pi)


def arc_sine():
    """erf: (2/pi) arcsin(2 c_ij / sqrt((1 + 2 c_ii)(1 + 2 c_jj))). Williams 1997."""
    covariance = CORRELATION * np.outer(STD, STD)
    scale = np.sqrt(1 + 2 * STD**2)
    return 2 / np.pi * np.arcsin(2 * covariance / np.outer(scale, scale))


def by_brute_force(fn, mean, reach=8.5, points=1700):
    """A two-dimensional midpoint rule: cells of width 0.01, whose square bounds what a kink costs."""
    g = (np.arange(points) + 0.5) * (2 * reach / points) - reach
    w = np.exp(-(g**2) / 2) / math.sqrt(2 * math.pi) * (2 * reach / points)
    found = np.empty_like(CORRELATION)
    for i in range(len(STD)):
        first = w * fn(mean[i] + STD[i] * g)
        for j in range(i + 1):
            r = CORRELATION[i, j]
            second = fn(mean[j] + STD[j] * (r * g[:, None] + math.sqrt(1 - r * r) * g))
            found[i, j] = found[j, i] = first @ (second @ w)
    return found


CLOSED = {"relu": arc_cosine, "erf": arc_sine}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    np.testing.assert_allclose(pair_averages(name, np.zeros(3)), CLOSED[name](), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CLOSED)
def test_another_formula_would_be_seen(name):
    other = {"relu": arc_sine, "erf": arc_cosine}[name]()
    assert np.abs(pair_averages(name, np.zeros(3)) - other).max() > 0.01
    assert np.abs(pair_averages(name, np.full(3, 0.05)) - CLOSED[name]()).max() > 1e-3


NUMPY = {"tanh": np.tanh, "hard_tanh": lambda x: np.clip(x, -1, 1)}


@pytest.mark.parametrize("name", NUMPY)
def test_brute_force_with_means(name):
    mean = np.array([0.0, 0.4, -0.7])
    expected = by_brute_force(NUMPY[name], mean)
    np.testing.assert_allclose(pair_averages(name, mean), expected, atol=1e-5)


def test_a_mean_left_out_would_be_seen():
    expected = by_brute_force(np.tanh, np.full(3, 0.1))
    assert np.abs(pair_averages("tanh", np.zeros(3)) - expected).min() > 1e-4


def test_moments_of_the_identity_are_mean_and_std():
    mean = jnp.array([0.3, -1.0])
    std = jnp.array([0.5, 2.0])
    psi, second = hermite_moments(activation("identity"), mean, std, 4, NODES)
    np.testing.assert_allclose(psi, [mean, std, [0, 0], [0, 0]], atol=1e-13)
    np.testing.assert_allclose(second, mean**2 + std**2, rtol=1e-13)


def test_moments_of_a_cube():
    """g^3 = 3 h_1 + sqrt 6 h_3, so a rule that is exact for polynomials gives these."""
    psi, second = hermite_moments(activation(lambda x: x**3), jnp.zeros((2, 3)), jnp.ones((1, 3)), 5, NODES)
    expected = np.array([0, 3, 0, math.sqrt(6), 0]).reshape(5, 1, 1) * np.ones((2, 3))
    np.testing.assert_allclose(psi, expected, atol=1e-11)
    np.testing.assert_allclose(second, np.full((2, 3), 15.0), rtol=1e-11)


@pytest.mark.parametrize("name", ["relu", "tanh", "hard_tanh"])
def test_moments_add_up_to_the_second_moment(name):
    """Parseval: sum psi_k^2 <= E rho^2, the rest being of order 1/K for a kink and tiny without."""
    psi, second = hermite_moments(activation(name), jnp.zeros(3), jnp.asarray(STD), 40, NODES)
    rest = 1 - np.sum(np.asarray(psi) ** 2, axis=0) / np.asarray(second)
    assert (rest > -1e-12).all()
    assert (rest < 0.01).all()


def test_the_series_is_longer_where_correlations_are_larger():
    lengths = [series_length(d) for d in (4, 16, 64, 256, 4096)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[2] == 6
    short = pair_averages("relu", np.zeros(3), orders=4)
    assert np.abs(short / arc_cosine() - 1).max() > 1e-5
