"""Gauss quadrature of a law of numbers x >= 0 for functions that grow no faster than x.

In v = x / (1 + x), with weight (1 + x) / 2, the law lives on [0, 1), and such a function is (1 + x) times a
bounded one of v. The rule with k nodes is exact for polynomials in v up to degree 2 k - 1 times 1 + x,
hence for 1 and for x. Nodes come from the Jacobi matrix of the law (Lanczos; Golub, Welsch, Math. Comp. 23,
221 (1969)).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " n"]


def gauss_rule(
    values: Values, weights: Values, count: int
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """`count` nodes and weights in place of more (values >= 0, weights >= 0 that add up to 1)."""
    if values.size <= count:
        return values, weights
    v, mass = values / (1.0 + values), 0.5 * weights * (1.0 + values)
    diagonal, beside = _jacobi(v, mass, count)
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    nodes = np.clip(nodes, v.min(), v.max())
    shares = mass.sum() * vectors[0] ** 2
    return nodes / (1.0 - nodes), 2.0 * shares * (1.0 - nodes)


def _jacobi(v: Values, mass: Values, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Lanczos on diag(v) from sqrt(mass), every vector made orthogonal to all before, twice."""
    basis = [np.sqrt(mass / mass.sum())]
    diagonal, beside = [], []
    for k in range(count):
        diagonal.append(basis[k] @ (v * basis[k]))
        after = v * basis[k]
        for _ in range(2):
            after = after - np.stack(basis).T @ (np.stack(basis) @ after)
        beside.append(float(np.linalg.norm(after)))
        if beside[-1] < 1e-13:  # the law has no more than k + 1 different values
            break
        basis.append(after / beside[-1])
    return np.array(diagonal), np.array(beside[: len(diagonal) - 1])
