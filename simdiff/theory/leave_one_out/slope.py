"""How the equivalent on the negative axis answers to a small change of what is added to Sigma_hat.

Of G = (M + R)^{-1}, with R + eps A in place of R and w = 1 / (1 + q),

    -dG/deps = G (A + E_x [ w^2 r x x^T ]) G,     r(x) = -dq/deps = x^T (-dG/deps) x / N

A = 1 gives dG/dz. Linear equations for one number r per point, all positive: a Neumann series, which is
accelerated. What is asked of them is good to 1e-6, so that of many points products are in single precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.leave_one_out.equivalent import MANY, ROUNDS, TOLERANCE, Equivalent
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.leave_one_out.products import positive_quadratic, weighted_square
from simdiff.theory.numerics.anderson import accelerated

SINGLE = 3e-6
"""Tolerance in single precision, relative to 1 + |r|."""


class Slope(NamedTuple):
    """-dG/deps and r, and whether they solve the equations."""

    resolvent: Float[np.ndarray, "d d"]
    forms: Float[np.ndarray, " m"]
    converged: bool


def slope(
    points: Population, count: int, at: Equivalent, added: Float[np.ndarray, "d d"] | None = None
) -> Slope:
    """The answer to a positive A = `added`, by default 1, of a solution on the negative axis."""
    many = len(points.points) > MANY
    x = points.points.astype(np.float32) if many else points.points
    g, square = at.resolvent.real, 1.0 / (1.0 + at.forms.real) ** 2
    a = np.eye(len(g)) if added is None else added

    def moved(change: Float[np.ndarray, " m"]) -> Float[np.ndarray, "d d"]:
        return g @ (a + weighted_square(x, square * change).astype(float)) @ g

    def step(change: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        return positive_quadratic(x, moved(change)).astype(float) / count

    with np.errstate(all="ignore"):
        start = step(np.zeros(len(x)))
        change, found = accelerated(step, start, SINGLE if many else TOLERANCE, ROUNDS)
        return Slope(moved(change), change, found and bool((change >= 0.0).all()))


def beside(at: Equivalent, rising: Slope, step: float) -> Equivalent:
    """The equivalent at z + i `step`, to first order in the step; `rising` is the answer to A = 1."""
    resolvent, forms = at.resolvent + 1j * step * rising.resolvent, at.forms + 1j * step * rising.forms
    return Equivalent(at.z + 1j * step, resolvent, forms, at.converged and rising.converged)
