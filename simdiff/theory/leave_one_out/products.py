"""Averages of x x^T over points and forms x^T A x of every point: what a round of a fixed point costs.

Products are taken in the precision of the points, which may be single.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Inexact

Forms = Inexact[np.ndarray, " m"]


def weighted_square(x: Float[np.ndarray, "m d"], weights: Forms) -> Inexact[np.ndarray, "d d"]:
    """E_x weights x x^T; real products only, for x is real."""
    if np.iscomplexobj(weights):
        return weighted_square(x, weights.real) + 1j * weighted_square(x, weights.imag)
    if weights.max() < 0.0:
        return -weighted_square(x, -weights)
    if weights.min() < 0.0:
        return (x.T * (weights / len(x)).astype(x.dtype)) @ x
    root = x * np.sqrt(weights / len(x)).astype(x.dtype)[:, None]
    return root.T @ root  # half the work: NumPy sees that it is symmetric


def quadratic(x: Float[np.ndarray, "m d"], matrix: Inexact[np.ndarray, "d d"]) -> Forms:
    """x^T matrix x at every point."""
    if np.iscomplexobj(matrix):
        return quadratic(x, matrix.real) + 1j * quadratic(x, matrix.imag)
    return np.einsum("ij,ij->i", x @ matrix.astype(x.dtype), x)


def positive_quadratic(x: Float[np.ndarray, "m d"], matrix: Float[np.ndarray, "d d"]) -> Forms:
    """The same of a positive matrix L L^T, as |L^T x|^2: a triangle is half the work."""
    from scipy.linalg import blas

    try:
        lower = np.linalg.cholesky(matrix).astype(x.dtype)
    except np.linalg.LinAlgError:  # not positive, or not in this arithmetic
        return quadratic(x, matrix)
    multiply = blas.strmm if x.dtype == np.float32 else blas.dtrmm
    y = multiply(1.0, lower, x.T, lower=True, trans_a=True)
    return np.einsum("ij,ij->j", y, y)
