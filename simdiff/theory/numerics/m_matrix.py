"""Linear systems with a diagonally dominant M-matrix, without a subtraction.

Such a matrix is given by its off-diagonal entries, with their sign turned, and by its row sums, all of them
>= 0: A = diag(sums + entries 1) - entries. Elimination in these terms only adds, multiplies and divides, so
for a right-hand side >= 0 every component of the solution is accurate relative to itself, however nearly
singular A is.

Source: Alfa, Xue, Ye, Mathematics of Computation 71, 217 (2002), after Grassmann, Taksar, Heyman.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def solve_m_matrix(
    sums: Float[np.ndarray, " n"], entries: Float[np.ndarray, "n n"], right: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "n k"]:
    """X with A X = right; the diagonal of `entries` is not read."""
    sums, entries, right = sums.copy(), entries.copy(), right.copy()
    pivots, n = np.empty_like(sums), sums.size
    for k in range(n):
        later = slice(k + 1, n)
        pivots[k] = sums[k] + entries[k, later].sum()
        share = entries[later, k] / pivots[k]
        entries[later, later] += np.outer(share, entries[k, later])
        sums[later] += share * sums[k]
        right[later] += np.outer(share, right[k])
    for k in reversed(range(n)):
        right[k] = (right[k] + entries[k, k + 1 :] @ right[k + 1 :]) / pivots[k]
    return right
