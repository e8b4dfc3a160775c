"""The mean resolvent of a second moment of N samples of any law, to leading order, by leaving one out.

    E (Sigma_hat - z)^{-1} ~ G = (M - z)^{-1},     M = E_x [ x x^T / (1 + q(x)) ],     q(x) = x^T G x / N

Leave one sample out, put it back by the formula of Sherman and Morrison, and replace the resolvent without
it by its mean. E_x is the average over all points. For Gaussian data q(x) concentrates, and M = k Sigma with
the k of `linear_chain.one_point`; points of other laws keep the law of their q(x), which is what Gaussian
theory lacks on images.

The fixed point is solved in the forms q (one number per point) by the method of Anderson, from the solution
at a node nearby. Off the real axis the physical solution has Im q of the sign of Im z; on the negative real
axis all q are positive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float, Inexact

from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.numerics.anderson import accelerated

TOLERANCE = 1e-10
"""Largest change of q, relative to 1 + |q|, in the last round."""

ROUNDS = 200

MANY = 2500
"""With more points than that a fifth of them is solved for first."""

NEAR = 0.01
"""Points z this close to the negative axis, as an angle, are solved from the solution on it."""

Forms = Inexact[np.ndarray, " m"]


class Equivalent(NamedTuple):
    """G at z, q at every point, and whether they solve the fixed point."""

    z: complex
    resolvent: Complex[np.ndarray, "d d"]
    forms: Forms
    converged: bool


def solve(points: Population, count: int, z: complex, start: Forms | None = None) -> Equivalent:
    """The equivalent for `count` samples at z, off the positive real axis; never raises: see `converged`."""
    if start is not None:
        found = _solved(points, count, z, start)
        if found.converged:
            return found
    return _solved(points, count, z, _beginning(points, count, z))


def _beginning(points: Population, count: int, z: complex) -> Forms:
    """Close to the negative axis the forms on it, where arithmetic is real; of many points, those of some."""
    if z.real < 0.0 and 0.0 < abs(z.imag) < NEAR * abs(z):
        return solve(points, count, complex(z.real)).forms
    if len(points.points) > MANY:
        some = Population(points.points[points.spread_out(len(points.points) // 5)], points.eigenvalues)
        return quadratic(points.points, solve(some, count, z).resolvent) / count
    return points.lengths / (-z * count)


def _solved(points: Population, count: int, z: complex, begin: Forms) -> Equivalent:
    x, on_axis = points.points, z.imag == 0.0
    at = z.real if on_axis else z
    with np.errstate(all="ignore"):  # what strays becomes nan, and is not converged

        def step(forms: Forms) -> Forms:
            return quadratic(x, _resolvent(x, at, forms)) / count

        start = begin.real if on_axis else begin.astype(complex)
        forms, found = accelerated(step, start, TOLERANCE, ROUNDS)
        resolvent, forms = _resolvent(x, at, forms).astype(complex), forms.astype(complex)
        return Equivalent(z, resolvent, forms, found and _physical(z, forms))


def weighted_square(x: Float[np.ndarray, "m d"], weights: Forms) -> Inexact[np.ndarray, "d d"]:
    """E_x weights x x^T; real products only, for x is real."""
    if np.iscomplexobj(weights):
        return weighted_square(x, weights.real) + 1j * weighted_square(x, weights.imag)
    if weights.max() < 0.0:
        return -weighted_square(x, -weights)
    if weights.min() < 0.0:
        return (x.T * (weights / len(x))) @ x
    root = x * np.sqrt(weights / len(x))[:, None]
    return root.T @ root  # half the work: NumPy sees that it is symmetric


def quadratic(x: Float[np.ndarray, "m d"], matrix: Inexact[np.ndarray, "d d"]) -> Forms:
    """x^T matrix x at every point."""
    if np.iscomplexobj(matrix):
        return quadratic(x, matrix.real) + 1j * quadratic(x, matrix.imag)
    return np.einsum("ij,ij->i", x @ matrix, x)


def _resolvent(x: Float[np.ndarray, "m d"], z: complex, forms: Forms) -> Inexact[np.ndarray, "d d"]:
    matrix = weighted_square(x, 1.0 / (1.0 + forms))
    if not np.isfinite(matrix).all():
        return np.full_like(matrix, np.nan)
    return np.linalg.inv(matrix - z * np.eye(x.shape[1]))


def _physical(z: complex, forms: Forms) -> bool:
    if z.imag == 0.0:
        return bool((forms.real >= 0.0).all())
    return bool((forms.imag * np.sign(z.imag) >= -1e-9 * (1.0 + np.abs(forms))).all())
