"""The Marchenko-Pastur law as a Gauss quadrature: spectral averages to rounding from a few atoms.

M is d x D with iid N(0, 1) entries, D = psi_D d. The eigenvalues of M M^T / D have mean 1; as d grows
they fill [(1 - 1/sqrt(psi_D))^2, (1 + 1/sqrt(psi_D))^2], and for psi_D < 1 a share 1 - psi_D of them is
zero. Orthogonal polynomials of this law have constant recurrence coefficients (but for the first), so
its Gauss rules are eigenvalues of a tridiagonal matrix.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.linalg import eigh_tridiagonal

_MOST_NODES = 256
_LEAST_NODES = 16
RESOLVED = 255
"""Nodes with which features' spectra show no gaps between the atoms at psi_n, psi_p <= 64; 64 are too few.
With the atom at 0 they are 256, a length to which spectra are padded."""


@functools.lru_cache(maxsize=4096)
def marchenko_pastur(psi_D: float, least: int = _LEAST_NODES) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Eigenvalues and weights that integrate the limiting law of M M^T / D; the atom at 0 is exact.

    A rule of k nodes is exact for polynomials of degree 2k - 1. For functions of s that are analytic but
    for poles at s <= 0, as all of theory's are, k is chosen for an error of e^-36; near psi_D = 1,
    where the support touches 0, it ends at 256 nodes, which still gives 1e-9 for 1 / (s + 1e-2).
    `least` asks for more nodes, for what looks at places between the atoms.
    """
    y = 1.0 / psi_D
    gap = abs(math.log(psi_D))
    count = min(_MOST_NODES, max(least, math.ceil(36.0 / max(gap, 1e-9))))
    diagonal = np.full(count, 1.0 + y)
    diagonal[0] = max(1.0, y)
    values, vectors = eigh_tridiagonal(diagonal, np.full(count - 1, math.sqrt(y)))
    weights = min(1.0, psi_D) * vectors[0] ** 2
    if psi_D < 1:
        values, weights = np.append(0.0, values), np.append(1.0 - psi_D, weights)
    return tuple(np.maximum(values, 0.0).tolist()), tuple((weights / weights.sum()).tolist())
