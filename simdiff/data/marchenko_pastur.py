"""The Marchenko-Pastur law as a Gauss quadrature: spectral averages to rounding from a few atoms.

M is d x D with iid N(0, 1) entries, D = psi_D d. The eigenvalues of M M^T / D have mean 1; as d grows
they fill [(1 - 1/sqrt(psi_D))^2, (1 + 1/sqrt(psi_D))^2], and for psi_D < 1 a share 1 - psi_D of them is
zero. Orthogonal polynomials of this law have constant recurrence coefficients (but for the first), so
its Gauss rules are eigenvalues of a tridiagonal matrix. Where the support all but touches 0 a Gauss rule
would need thousands of nodes for functions with poles close to 0; there the rule has panels that shrink
towards the edge.
"""

from __future__ import annotations

import functools
import math

import numpy as np

_MOST_NODES = 256
_LEAST_NODES = 16
_PANEL_NODES, _WIDE_PANELS, _SHRINKING_PANELS = 16, 5, 9
"""Of the graded rule: 240 nodes, the innermost panel of width 3e-6 in theta."""
RESOLVED = 255
"""Nodes with which features' spectra show no gaps between the atoms at psi_n, psi_p <= 64; 64 are too few.
With the atom at 0 they are 256, a length to which spectra are padded."""


@functools.lru_cache(maxsize=4096)
def marchenko_pastur(psi_D: float, least: int = 0) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Eigenvalues and weights that integrate the limiting law of M M^T / D; the atom at 0 is exact.

    A rule of k nodes is exact for polynomials of degree 2k - 1. For functions of s that are analytic but
    for poles at s <= 0, as all of theory's are, k is chosen for an error of e^-36. Where that takes more
    than 256 (psi_D within 15% of 1) the rule is graded: errors below 1e-11 for 1 / (s + z) with z down
    to 1e-11. `least` asks for a Gauss rule of that many nodes, for what looks at places between the atoms.
    """
    wanted = math.ceil(36.0 / max(abs(math.log(psi_D)), 1e-9))
    graded = wanted > _MOST_NODES and not least
    count = min(_MOST_NODES, max(least, _LEAST_NODES, wanted))
    values, weights = _graded_rule(psi_D) if graded else _gauss_rule(psi_D, count)
    if psi_D < 1:
        values, weights = np.append(0.0, values), np.append(1.0 - psi_D, weights)
    return tuple(np.maximum(values, 0.0).tolist()), tuple((weights / weights.sum()).tolist())


def _gauss_rule(psi_D: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The Gauss rule of the eigenvalues above 0."""
    from scipy.linalg import eigh_tridiagonal

    y = 1.0 / psi_D
    diagonal = np.full(count, 1.0 + y)
    diagonal[0] = max(1.0, y)
    values, vectors = eigh_tridiagonal(diagonal, np.full(count - 1, math.sqrt(y)))
    return values, min(1.0, psi_D) * vectors[0] ** 2


def _graded_rule(psi_D: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre panels in theta, each four times as wide as the one before it, then equal ones.

    With s = (1 - r)^2 + 4 r sin(theta / 2)^2 and r = 1 / sqrt(psi_D) the law is (2 / pi) sin(theta)^2 / s
    d theta on [0, pi], and a pole at s = -z lies at theta = i sqrt((z + (1 - r)^2) / r) or so.
    """
    inner = 0.25 * np.pi * 4.0 ** -np.arange(_SHRINKING_PANELS, -1, -1.0)
    ends = np.concatenate([[0.0], inner, np.linspace(0.25 * np.pi, np.pi, _WIDE_PANELS + 1)[1:]])
    x, w = np.polynomial.legendre.leggauss(_PANEL_NODES)
    half = 0.5 * np.diff(ends)[:, None]
    theta, mass = (ends[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()
    r = 1.0 / math.sqrt(psi_D)
    s = (1.0 - r) ** 2 + 4.0 * r * np.sin(0.5 * theta) ** 2
    weights = (2.0 / np.pi) * np.sin(theta) ** 2 / s * mass
    return s, weights * min(1.0, psi_D) / weights.sum()
