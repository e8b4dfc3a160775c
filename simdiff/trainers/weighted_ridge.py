"""Ridge regression with a weight for every sample: the exact minimiser, by the smaller of two systems.

notation:
    loss(W) = (1/P) sum_i l_i |W phi_i - y_i|^2 + ridge |W|^2
    W = A (S + ridge)^{-1},  A = (1/P) sum l y phi^T,  S = (1/P) sum l phi phi^T        (primal)
      = (1/P) Y^T (K + ridge)^{-1} X,  X = sqrt(l) phi,  Y = sqrt(l) y,  K = X X^T / P      (dual)
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.trainers.ridge import solve_regularised


def weighted_ridge(
    phi: Float[Array, "n F"],
    y: Float[Array, "n O"],
    weights: Float[Array, " n"],
    count: Float[Array, ""],
    ridge: Float[Array, ""],
) -> Float[Array, "O F"]:
    """W of the module's loss, with P = `count`; rows of weight zero are padding and change nothing."""
    root = jnp.sqrt(weights / count)[:, None]
    rows, targets = root * phi, root * y
    if phi.shape[0] < phi.shape[1]:
        return (rows.T @ solve_regularised(rows @ rows.T, ridge, targets)).T
    return solve_regularised(rows.T @ rows, ridge, rows.T @ targets).T
