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

from simdiff.data.base import Sampler
from simdiff.engine.column_shares import ALL_COLUMNS, ColumnShares
from simdiff.engine.padding import power_of_two
from simdiff.engine.row_shares import ALL_ROWS, RowShares
from simdiff.engine.symmetric_products import Parts, half_products, joined, zeros_of
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments, series_length
from simdiff.problems.denoising.gram import Normal
from simdiff.problems.denoising.pairs import Pairs, samples

_TILE = 2**13
"""Elements a tile: with the quadrature's nodes they stay in cache."""

_NODES = 32
"""Quadrature nodes a panel: good to 3e-6 for standard deviations up to 1, which sqrt(h) |w| / sqrt(d) hardly
exceeds (tanh, ReLU, hard tanh, softplus, sin; measured against 160 nodes)."""


def average(
    sampler: Sampler,
    pairs: Pairs,
    rho: Activation,
    weights: Float[Array, "q d"],
    keep: Float[Array, " q"],
    block: int,
    shares: RowShares = ALL_ROWS,
    columns: ColumnShares = ALL_COLUMNS,
) -> Normal:
    """U and V at m = infinity; `keep` is 1 for real features and 0 for padding.

    Shared as by `gram.accumulate`: devices that share the columns each give their own features.
    """
    d = weights.shape[1]
    orders = series_length(d)
    norm = jnp.linalg.norm(weights, axis=1)
    std = (jnp.sqrt(pairs.h) * norm / math.sqrt(d)).astype(weights.dtype)

    def add(number: Array, total: tuple) -> tuple:
        index = number * block + jnp.arange(block)
        real = keep[:, None] * (index < pairs.n).astype(weights.dtype)
        x = samples(sampler, pairs, index).astype(weights.dtype)
        mean = pairs.a.astype(weights.dtype) * (weights @ x.T) / math.sqrt(d)
        psi, square = _moments(rho, mean, std, orders)
        psi = psi * real
        grams = jax.lax.fori_loop(0, orders, lambda k, grams: _added(grams, psi, k, columns), total[0])
        return grams, total[1] + psi[1].sum(1), total[2] + (square * real).sum(1)

    start = _no_grams(orders, weights, columns), jnp.zeros_like(keep), jnp.zeros_like(keep)
    blocks = shares.part(-(-pairs.n // block))
    grams, slope, square = shares.total(jax.lax.fori_loop(*blocks, add, start))
    n = pairs.n.astype(weights.dtype)
    unit = weights / norm[:, None]
    here = columns.own(len(keep) * columns.devices), jnp.arange(len(keep))
    u = joined(_series(grams, half_products(unit, columns)), columns).at[here].set(square) / n
    return Normal(u, (slope / n)[:, None] * unit, jnp.ones((), jnp.float64))


def _moments(
    rho: Activation, mean: Float[Array, "p r"], std: Float[Array, " p"], orders: int
) -> tuple[Float[Array, "k p r"], Float[Array, "p r"]]:
    """Hermite moments in tiles of features that stay in cache while the quadrature adds its nodes up."""
    rows = math.gcd(mean.shape[0], power_of_two(max(1, _TILE // mean.shape[1] + 1)))
    tiles = mean.reshape(-1, rows, mean.shape[1]), std.reshape(-1, rows, 1)
    psi, square = jax.lax.map(lambda tile: hermite_moments(rho, tile[0], tile[1], orders, _NODES), tiles)
    return jnp.moveaxis(psi, 0, 1).reshape(orders, *mean.shape), square.reshape(mean.shape)


def _no_grams(orders: int, weights: Float[Array, "q d"], columns: ColumnShares) -> Parts:
    """A Gram matrix of zeros for each order, in parts."""
    row = jax.ShapeDtypeStruct((orders, len(weights), 1), weights.dtype)
    return zeros_of(lambda psi: jax.lax.map(lambda f: half_products(f, columns), psi), row)


def _added(grams: Parts, psi: Float[Array, "k q r"], k: Array, columns: ColumnShares) -> Parts:
    """With order k's products added in place: those of all orders at once would need as much memory again."""
    parts = half_products(psi[k], columns)
    return jax.tree.map(lambda total, part: total.at[k].add(part), grams, parts)


def _series(grams: Parts, correlation: Parts) -> Parts:
    """The sum over k, the first axis of the arrays of `grams`, of R^k times Gram matrix k."""

    def add(total: Parts, gram: Parts) -> tuple[Parts, None]:
        return jax.tree.map(lambda total, r, gram: total * r + gram, total, correlation, gram), None

    return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, correlation), grams, reverse=True)[0]
