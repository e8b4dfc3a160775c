"""What the leave-one-out equivalent leaves out: the mean resolvent's term of relative order 1/N.

With delta the fluctuation of the resolvent without one sample, H its mean and w = 1 / (1 + q), expanding
E x x^T (H + delta) / (1 + q + x^T delta x / N) to second order gives, for R = -z,

    E (Sigma_hat + R)^{-1} = G + g - P[G M G] / N,        g = P[ (R/N) G P[G M G] + S ],
    S = (1/N) E w^2 G x u^T - (1/N^2) E w^3 V G x x^T G,   u = E delta x (x^T delta x),  V = E (x^T delta x)^2

where P = (1 - L)^{-1}, L[A] = (1/N) E w^2 (x^T A x) G x x^T G, is how a perturbation of R spreads. To
leading order delta has two kinds of terms: a single sample y, -(1/N) P[w G y y^T G] less its mean, and chains
x - y_1 - ... - y_k - x of two samples or more, in either of two orders. Both are sums over the kernel
K(x, y) = (x^T G y)^2 with weights W = w^2 / N:

    Pi = (1 - K W)^{-1} K w,    V = (1/N) E_y (Pi - E_y Pi)^2 + 2 (J W K)_xx,    J = K W (1 - K W)^{-1} K

and u in the same way with one end open. Points may be drawn twice (probability 1/m each): that is in it.

Averages over pairs are taken over sets of `PAIRS` points, spread evenly over all lengths, with those of the
step in between over `BETWEEN`: the kernel's square is smooth, so that to write (1 - K W)^{-1} as
(1 + K W) (1 - (K W)^2)^{-1} inverts no noise. A pair of a point with itself has weight 1/m there, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.leave_one_out.equivalent import Equivalent
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.leave_one_out.products import quadratic, weighted_square

PAIRS, SETS = 200, 4
"""Points whose pairs are averaged over, and how many such sets are: their spread is a tenth of the term."""

BETWEEN = 600
"""Points averaged over in between."""

MOST = 5000
"""Points averaged over elsewhere, at most: errors change by 1e-4 at N = 32 (MNIST)."""

Square = Complex[np.ndarray, "k k"]


class Pairs(NamedTuple):
    """Kernels among k points: `forms` x^T G y, `kernel` its square, `chains` J, all k x k.

    The diagonals of `kernel`, `chains` and `own` (forms otherwise) are scaled by `share` = k / m, `itself` is
    the kernel's unscaled one. `rows` = x^T G, w and W = w^2 / (N k) belong to the points.
    """

    points: Float[np.ndarray, "k d"]
    rows: Complex[np.ndarray, "k d"]
    w: Complex[np.ndarray, " k"]
    weight: Complex[np.ndarray, " k"]
    forms: Square
    own: Square
    kernel: Square
    itself: Complex[np.ndarray, " k"]
    chains: Square
    share: float


def correction(points: Population, count: int, at: Equivalent) -> Complex[np.ndarray, "d d"]:
    """E (Sigma_hat - z)^{-1} - G to relative order 1/N, for `count` = N samples."""
    places = (np.arange(SETS) + 0.5) / SETS if len(points.points) > PAIRS else [0.5]
    return _correction(points, count, at, [_pairs(points, count, at, place) for place in places])


def _correction(
    points: Population, count: int, at: Equivalent, sets: Sequence[Pairs]
) -> Complex[np.ndarray, "d d"]:
    """The same by averages over some sets of pairs."""
    some = points.spread_out(MOST)
    x, g, w = points.points[some], at.resolvent, 1.0 / (1.0 + at.forms[some])
    mean = g + at.z * (g @ g)  # G M G
    single = np.mean([_spread(pairs, mean) for pairs in sets], axis=0)
    source = np.mean([_fluctuations(pairs, count) for pairs in sets], axis=0)
    pulled = g @ single
    source = source - (at.z / (2.0 * count)) * (pulled + pulled.T)
    once = g @ weighted_square(x, w**2 * quadratic(x, source) / count) @ g
    return source + np.mean([_spread(pairs, once) for pairs in sets], axis=0) - single / count


def _pairs(points: Population, count: int, at: Equivalent, place: float) -> Pairs:
    chosen, middle = points.spread_out(PAIRS, place), points.spread_out(BETWEEN, place)
    y, w = points.points[chosen], 1.0 / (1.0 + at.forms)
    rows, share = y @ at.resolvent, chosen.size / len(points.points)
    weight = w[chosen] ** 2 / (count * chosen.size)
    forms = rows @ y.T
    kernel, own = _with_diagonal(forms**2, share), _with_diagonal(forms, share)
    far = (rows @ points.points[middle].T) ** 2
    square = (far * (w[middle] ** 2 / (count * middle.size))) @ far.T
    apart = _with_diagonal(square, share)
    right = square + apart @ (weight[:, None] * kernel)
    chains = _with_diagonal(np.linalg.solve(np.eye(chosen.size) - apart * weight, right), share)
    itself = np.diag(forms) ** 2
    return Pairs(y, rows, w[chosen], weight, forms, own, kernel, itself, chains, share)


def _with_diagonal(matrix: Square, share: float) -> Square:
    """The matrix with its diagonal scaled: pairs of a point with itself."""
    return matrix - (1.0 - share) * np.diag(np.diag(matrix))


def _spread(pairs: Pairs, a: Complex[np.ndarray, "d d"]) -> Complex[np.ndarray, "d d"]:
    """P[a], for an `a` that is an average over many more points than these."""
    plain = np.einsum("ij,ij->i", pairs.points @ a, pairs.points)
    spread = plain + (pairs.kernel + pairs.chains) @ (pairs.weight * plain)
    return a + (pairs.rows.T * (pairs.weight * spread)) @ pairs.rows


def _fluctuations(pairs: Pairs, count: int) -> Complex[np.ndarray, "d d"]:
    """S, made symmetric."""
    w, weight, k = pairs.w, pairs.weight, pairs.w.size
    reached = (pairs.kernel + pairs.chains) * w  # Pi, with coincidences weighted
    apart = reached - reached.mean(axis=1, keepdims=True)
    missing = np.diag((1.0 - pairs.share) * pairs.itself * w)
    squares = _with_diagonal((apart + missing) ** 2, pairs.share).mean(axis=1)
    variance = squares / count + 2.0 * np.einsum("ij,j,ji->i", pairs.chains, weight, pairs.kernel)
    single = pairs.forms * _with_diagonal(apart + missing, pairs.share) * (w / (count * k))
    chained = 2.0 * pairs.forms * pairs.chains * weight
    alike = reached @ apart.T / k
    alike[np.diag_indices(k)] = squares
    spread = weight[:, None] * pairs.own * alike / count
    open_end = w[:, None] ** 2 * (single + chained) + spread * w**2
    total = (pairs.rows.T @ open_end @ pairs.rows) / (k * count)
    total -= (pairs.rows.T * (w**3 * variance / (k * count**2))) @ pairs.rows
    return 0.5 * (total + total.T)
