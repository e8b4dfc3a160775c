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
from simdiff.theory.leave_one_out.products import Forms, positive_quadratic, quadratic, weighted_square
from simdiff.theory.numerics.anderson import accelerated

TOLERANCE = 1e-10
"""Largest change of q, relative to 1 + |q|, in the last round."""

ROUNDS = 200

MANY = 2500
"""With more points than that a fifth of them is solved for first."""

COARSE, ENOUGH = 1e-5, 1e-8
"""Of many points on the axis: the tolerance in single precision, and then in double precision."""


Points = Float[np.ndarray, "m d"]


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
    """As if samples did not matter; of many points beside the axis, from the solution for some."""
    if len(points.points) <= MANY or z.imag == 0.0:
        return points.lengths / (-z * count)
    some = Population(points.points[points.spread_out(len(points.points) // 5)], points.eigenvalues)
    return quadratic(points.points, solve(some, count, z).resolvent) / count


def _solved(points: Population, count: int, z: complex, begin: Forms) -> Equivalent:
    with np.errstate(all="ignore"):  # what strays becomes nan, and is not converged
        on_axis = z.imag == 0.0
        forms, found = _on_axis(points, count, z.real, begin) if on_axis else _beside(points, count, z, begin)
        resolvent = _resolvent(points.points, z.real if on_axis else z, forms).astype(complex)
        forms = forms.astype(complex)
        return Equivalent(z, resolvent, forms, found and _physical(z, forms))


def _beside(points: Population, count: int, z: complex, begin: Forms) -> tuple[Forms, bool]:
    def step(forms: Forms) -> Forms:
        return quadratic(points.points, _resolvent(points.points, z, forms)) / count

    return accelerated(step, begin.astype(complex), TOLERANCE, ROUNDS)


def _on_axis(points: Population, count: int, z: float, begin: Forms) -> tuple[Forms, bool]:
    """Real arithmetic; of many points in single precision first."""

    def solved(x: Points, start: Forms, tolerance: float) -> tuple[Forms, bool]:
        def step(forms: Forms) -> Forms:
            return positive_quadratic(x, _resolvent(x, z, forms)).astype(float) / count

        return accelerated(step, start, tolerance, ROUNDS)

    x, start = points.points, begin.real
    if len(x) <= MANY:
        return solved(x, start, TOLERANCE)
    coarse, found = solved(x.astype(np.float32), start, COARSE)
    return solved(x, coarse if found else start, ENOUGH)


def _resolvent(x: Points, z: complex, forms: Forms) -> Inexact[np.ndarray, "d d"]:
    matrix = weighted_square(x, 1.0 / (1.0 + forms)).astype(np.result_type(forms, float))
    if not np.isfinite(matrix).all():
        return np.full_like(matrix, np.nan)
    return np.linalg.inv(matrix - z * np.eye(x.shape[1]))


def _physical(z: complex, forms: Forms) -> bool:
    if z.imag == 0.0:
        return bool((forms.real >= 0.0).all())
    return bool((forms.imag * np.sign(z.imag) >= -1e-9 * (1.0 + np.abs(forms))).all())
