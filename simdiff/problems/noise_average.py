"""m = infinity without any draw: U and V averaged over the noise exactly, given samples and weights.

Given x_i and W the pre-activations of a noisy sample are jointly Gaussian, so E_z f f^T is a Mehler
series in their correlations, and its k-th term is one Gram matrix over the n samples:

    U = sum_k R^k * (1/n) sum_i psi_k,i psi_k,i^T,      R_ab = w_a . w_b / (|w_a| |w_b|)

with entrywise products, psi_k the Hermite moments of rho at mean a w . x_i / sqrt(d) and standard
deviation sqrt(h) |w| / sqrt(d). R is of order 1/sqrt(d) off the diagonal: eight terms do the work of
infinitely many draws. The diagonal is integrated directly.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.buckets import power_of_two
from simdiff.data.base import Sampler
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments, series_length
from simdiff.problems.gram import Normal, symmetric_product
from simdiff.problems.training_pairs import Pairs, samples

_TILE = 2**13
"""Elements a tile: with the quadrature's nodes they stay in cache."""

_NODES = 32
"""Quadrature nodes a panel: good to 3e-6 for standard deviations up to 1, which sqrt(h) |w| / sqrt(d) hardly
exceeds (tanh, ReLU, hard tanh, softplus, sin; measured against 160 nodes)."""


def average(
    sampler: Sampler,
    pairs: Pairs,
    rho: Activation,
    weights: Float[Array, "p d"],
    keep: Float[Array, " p"],
    block: int,
) -> Normal:
    """U and V at m = infinity; `keep` is 1 for real features and 0 for padding."""
    p, d = weights.shape
    orders = series_length(d)
    norm = jnp.linalg.norm(weights, axis=1)
    std = (jnp.sqrt(pairs.h) * norm / math.sqrt(d)).astype(weights.dtype)

    def add(number: Array, total: tuple) -> tuple:
        index = number * block + jnp.arange(block)
        real = (index < pairs.n).astype(weights.dtype)[:, None] * keep
        x = samples(sampler, pairs, index).astype(weights.dtype)
        mean = pairs.a.astype(weights.dtype) * (x @ weights.T) / math.sqrt(d)
        psi, square = _moments(rho, mean, std, orders)
        psi = psi * real
        grams = jax.lax.map(symmetric_product, psi)
        return total[0] + grams, total[1] + psi[1].sum(0), total[2] + (square * real).sum(0)

    zeros = jnp.zeros((orders, p, p), weights.dtype), jnp.zeros(p, weights.dtype), jnp.zeros(p, weights.dtype)
    grams, slope, square = jax.lax.fori_loop(0, -(-pairs.n // block), add, zeros)
    n = pairs.n.astype(weights.dtype)
    unit = weights / norm[:, None]
    u = _series(grams / n, unit @ unit.T, square / n)
    return Normal(u, (slope / n)[:, None] * unit, jnp.ones((), jnp.float64))


def _moments(
    rho: Activation, mean: Float[Array, "r p"], std: Float[Array, " p"], orders: int
) -> tuple[Float[Array, "k r p"], Float[Array, "r p"]]:
    """Hermite moments in tiles of rows that stay in cache while the quadrature adds its nodes up."""
    rows = math.gcd(mean.shape[0], power_of_two(max(1, _TILE // mean.shape[1] + 1)))
    tiles = mean.reshape(-1, rows, mean.shape[1])
    psi, square = jax.lax.map(lambda tile: hermite_moments(rho, tile, std, orders, _NODES), tiles)
    return jnp.moveaxis(psi, 0, 1).reshape(orders, *mean.shape), square.reshape(mean.shape)


def _series(grams: Float[Array, "k p p"], correlation: Float[Array, "p p"], diagonal: Array) -> Array:
    total = grams[-1]
    for gram in grams[-2::-1]:
        total = total * correlation + gram
    here = jnp.arange(total.shape[0])
    return total.at[here, here].set(diagonal)
