"""Random features at given weights, trained with exact noise averages (m = infinity), on points of any law.

Given the weights, features f of a point x with noise z have a mean fbar(x), and the second moments

    E_z f f^T = fbar fbar^T + C(x),     E_z f z^T = V(x)

by Mehler's series (`functions.hermite`). The minimiser is B = -(Uhat + ridge)^{-1} Vhat, of averages over n
samples. C(x) and V(x) have eigenvalues of order one where fbar fbar^T has one of order p: to leading order in
1/n their averages are E C and E V, and what fluctuates is one row fbar per sample, as in `equivalent`:

    G = (E [k fbar fbar^T] + C + ridge)^{-1},     k = 1 / (1 + fbar^T G fbar / n)
    E B = -G V,     E B B^T = E B (E B)^T + (1/n) G E [k^2 r fbar fbar^T] G,     r(x) = fbar^T (E B B^T) fbar

B B^T summed over the d columns of B. With C + ridge = L L^T and y = L^{-1} fbar these are the equations of
`equivalent` at z = -1, and of `slope` for A = n L^{-1} V V^T L^{-T}. Per dimension, times d,

    objective = d + 2 tr V^T E B + tr (C + ridge) E B B^T + E k^2 r
    train = objective - ridge tr E B B^T = memorization,     test = train + E (1 - k^2) r
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simdiff.functions.hermite import hermite_moments, series_length
from simdiff.theory.leave_one_out.equivalent import solve
from simdiff.theory.leave_one_out.noise_draws import Setting
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.leave_one_out.slope import slope

BLOCK, NODES = 500, 32
"""Points at a time, and nodes of the quadrature, as trials have them."""


class Averages(NamedTuple):
    """fbar of every point, and the averages over points of C and V."""

    means: Float[np.ndarray, "m p"]
    apart: Float[np.ndarray, "p p"]
    answer: Float[np.ndarray, "p d"]


def averaged_errors(
    points: Population, at: Setting, weights: Float[np.ndarray, "p d"], activation: Any
) -> dict[str, float] | None:
    """test, train, memorization and objective at these weights; None where the fixed point is not found."""
    means, apart, answer = noise_averages(points, at, weights, activation)
    (p, d), n = weights.shape, at.samples
    inverse = np.linalg.inv(np.linalg.cholesky(apart + at.ridge * np.eye(p)))
    rows, pull = Population(means @ inverse.T, np.ones(p)), inverse @ answer
    found = solve(rows, n, -1.0 + 0.0j)
    spread = slope(rows, n, found, (n / d) * pull @ pull.T)
    if not (found.converged and spread.converged):
        return None
    square, r = spread.resolvent / n, spread.forms  # of L^T B B^T L / d, and r / d
    after = r / (1.0 + found.forms.real) ** 2
    linear = float(np.sum(pull * (found.resolvent.real @ pull))) / d
    objective = 1.0 - 2.0 * linear + float(np.trace(square)) + float(after.mean())
    train = objective - at.ridge * float(np.sum(inverse * (square @ inverse)))
    test = train + float((r - after).mean())
    return {"test": test, "train": train, "memorization": train, "objective": objective}


def noise_averages(
    points: Population, at: Setting, weights: Float[np.ndarray, "p d"], activation: Any
) -> Averages:
    """Averages over the noise, exact, and over all points."""
    p, d = weights.shape
    norm, orders = np.linalg.norm(weights, axis=1), series_length(d)
    grams, own, slopes, means = np.zeros((orders, p, p)), np.zeros(p), np.zeros(p), []
    std = jnp.asarray(np.sqrt(at.h / d) * norm)
    for x in np.array_split(points.points, -(-len(points.points) // BLOCK)):
        mean = jnp.asarray(np.sqrt(at.a2 / d) * (x @ weights.T))
        found = hermite_moments(activation, mean, std, orders, NODES)
        psi, square = (np.asarray(part) for part in found)
        grams += psi.transpose(0, 2, 1) @ psi
        own, slopes = own + (square - psi[0] ** 2).sum(0), slopes + psi[1].sum(0)
        means.append(psi[0])
    unit, total = weights / norm[:, None], len(points.points)
    apart = _series(grams[1:], unit @ unit.T)
    np.fill_diagonal(apart, own)
    return Averages(np.concatenate(means), apart / total, (slopes / total)[:, None] * unit)


def _series(grams: Float[np.ndarray, "k p p"], correlation: Float[np.ndarray, "p p"]) -> np.ndarray:
    """The sum over k >= 1 of correlation^k times Gram matrix k."""
    total = np.zeros_like(correlation)
    for gram in grams[::-1]:
        total = (total + gram) * correlation
    return total
