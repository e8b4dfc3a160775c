"""Ridge training of a linear denoiser at m noise draws per sample, on points of any law: the leading order.

Rotating the m draws of a sample into their mean direction and m - 1 orthogonal ones leaves one row
y = a x + sqrt(h/m) g and m - 1 rows of noise alone. Leaving out a sample with all its rows gives

    G = (M + ridge)^{-1},     M = E_x [ k_1 (a^2 x x^T + i h) ] + (1 - i) h k_2,
    k_1(x) = 1 / (1 + (a^2 p + i h t) / n),  k_2 = 1 / (1 + i h t / n),      p(x) = x^T G x,  t = tr G

for the mean resolvent of U, and for the solution B its mean and covariance, the latter by a linear equation:

    E B = -sqrt(h) kappa G,     kappa = i E k_1 + (1 - i) k_2
    C = (1/n) G { E [ k_1^2 (a^2 x x^T + i h) (i d e + rho) ] + i (1 - i) h k_2^2 d e } G
    rho(x) = a^2 x^T ((E B)^2 + C) x
    e = (1/d) |1 + sqrt(h) B|^2 = 1 - 2 h kappa t / d + (h/d) tr ((E B)^2 + C)

Then, with theta(x) = k_1 a^2 p / n,

    test = e + E rho / d,        train = e (i E k_1^2 + (1 - i) k_2^2) + E k_1^2 rho / d
    memorization = e + E [ (1 - theta)^2 rho + i theta^2 d e ] / d,      objective = kappa (1 - h kappa t / d)

What this leaves out is of relative order 1/n.

notation:
    i = 1/m;  E: average over all points
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.leave_one_out.equivalent import ROUNDS, TOLERANCE
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.leave_one_out.products import quadratic, weighted_square
from simdiff.theory.numerics.anderson import accelerated


class Setting(NamedTuple):
    """n samples, i = 1/m, e^{-2t}, 1 - e^{-2t}, and the ridge, which is > 0."""

    samples: int
    i: float
    a2: float
    h: float
    ridge: float


class Shrinkage(NamedTuple):
    """The equivalent G, x^T G x at every point, tr G, and the factors k_1, k_2."""

    resolvent: Float[np.ndarray, "d d"]
    forms: Float[np.ndarray, " m"]
    trace: float
    k1: Float[np.ndarray, " m"]
    k2: float


def ridge_errors(points: Population, at: Setting) -> dict[str, float] | None:
    """test, train, memorization and objective, per dimension; None where the fixed point is not found."""
    shrunk = _shrinkage(points, at)
    spread = None if shrunk is None else _spread(points, at, shrunk)
    if shrunk is None or spread is None:
        return None
    rho, e = spread[:-1], float(spread[-1])
    k1, k2, d = shrunk.k1, shrunk.k2, points.eigenvalues.size
    theta, kappa = k1 * at.a2 * shrunk.forms / at.samples, _kappa(at, shrunk)
    own = (1.0 - theta) ** 2 * rho / d + at.i * theta**2 * e
    return {
        "test": e + float(rho.mean()) / d,
        "train": e * float(at.i * np.mean(k1**2) + (1.0 - at.i) * k2**2) + float(np.mean(k1**2 * rho)) / d,
        "memorization": e + float(own.mean()),
        "objective": kappa * (1.0 - at.h * kappa * shrunk.trace / d),
    }


def _shrinkage(points: Population, at: Setting) -> Shrinkage | None:
    """Solve for x^T G x at every point and tr G, which are the unknowns."""
    x = points.points

    def step(unknown: Float[np.ndarray, " m+1"]) -> Float[np.ndarray, " m+1"]:
        g = _resolvent(points, at, *_factors(at, unknown))
        return np.append(quadratic(x, g), np.trace(g))

    start = np.append(points.lengths, x.shape[1]) / (at.ridge + at.h + at.a2)
    unknown, found = accelerated(step, start, TOLERANCE, ROUNDS)
    if not found or unknown.min() < 0.0:
        return None
    k1, k2 = _factors(at, unknown)
    return Shrinkage(_resolvent(points, at, k1, k2), unknown[:-1], float(unknown[-1]), k1, k2)


def _factors(at: Setting, unknown: Float[np.ndarray, " m+1"]) -> tuple[Float[np.ndarray, " m"], float]:
    noise = at.i * at.h * float(unknown[-1]) / at.samples
    return 1.0 / (1.0 + at.a2 * unknown[:-1] / at.samples + noise), 1.0 / (1.0 + noise)


def _resolvent(
    points: Population, at: Setting, k1: Float[np.ndarray, " m"], k2: float
) -> Float[np.ndarray, "d d"]:
    level = at.ridge + at.i * at.h * float(k1.mean()) + (1.0 - at.i) * at.h * k2
    return np.linalg.inv(at.a2 * weighted_square(points.points, k1) + level * np.eye(points.eigenvalues.size))


def _kappa(at: Setting, shrunk: Shrinkage) -> float:
    return at.i * float(shrunk.k1.mean()) + (1.0 - at.i) * shrunk.k2


def _spread(points: Population, at: Setting, shrunk: Shrinkage) -> Float[np.ndarray, " m+1"] | None:
    """Rho at every point, and e: linear equations, solved as a fixed point."""
    x, g, d = points.points, shrunk.resolvent, points.eigenvalues.size
    kappa, k1 = _kappa(at, shrunk), shrunk.k1
    mean = at.h * kappa**2 * g @ g
    base = 1.0 - 2.0 * at.h * kappa * shrunk.trace / d

    def step(unknown: Float[np.ndarray, " m+1"]) -> Float[np.ndarray, " m+1"]:
        residual = k1**2 * (at.i * d * unknown[-1] + unknown[:-1])
        level = at.i * at.h * (residual.mean() + (1.0 - at.i) * shrunk.k2**2 * d * unknown[-1])
        inner = at.a2 * weighted_square(x, residual) + level * np.eye(d)
        moment = mean + g @ inner @ g / at.samples
        return np.append(at.a2 * quadratic(x, moment), base + at.h * np.trace(moment) / d)

    found, sound = accelerated(step, step(np.append(0.0 * k1, 1.0)), TOLERANCE, ROUNDS)
    return found if sound else None
