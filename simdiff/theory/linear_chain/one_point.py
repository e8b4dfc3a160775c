"""One-point functionals of a sample covariance: the limit of (1/d) tr w(Sigma) g(Sigma_hat), any spectrum.

Sigma_hat is the second moment of N = psi_n d Gaussian samples of covariance Sigma. Its resolvent acts like

    (Sigma_hat - z)^{-1} ~ (k Sigma - z)^{-1},      k = 1 / (1 + (1/psi_n) <s / (k s - z)>)

(Marchenko, Pastur 1967; Silverstein, J. Multivariate Analysis 55, 331 (1995)), so for g analytic in and on
a contour around the spectrum of Sigma_hat

    (1/d) tr w(Sigma) g(Sigma_hat) = -(1/2 pi i) oint g(z) <w(s) / (k(z) s - z)> dz.

The contour is an ellipse in log(z + offset) around the segment that holds all eigenvalues. Without an offset
it lies in a sector around the positive axis and leaves zero out, which serves g with a singularity at zero,
as long as Sigma_hat has no eigenvalue there. With an offset it goes around zero: modes of eigenvalue zero
(N < d), a gap or none are then no different, and nothing is said about them separately.

At size d the mean differs from the limit by a term of order 1/d, which matters where a few directions carry
much of the variance (a power law of exponent 1 or 2). Integration by parts over the Gaussian samples gives

    E (Sigma_hat - z)^{-1} = Q + (1/N) (z dT Sigma Q^2 + z^2 m' Sigma^2 Q^3),       Q = (k Sigma - z)^{-1},
    dT = q z^2 m' <s^2 Q^3> / (1 - q z <s Q^2>)                                     its own trace

up to 1/d^2 in traces per dimension; dT is that of Bai, Silverstein, Annals of Probability 32, 553 (2004).

notation:
    q = 1 / psi_n,  m' = dm/dz
    m = -k / z          companion Stieltjes transform: -1/m = z - (1/psi_n) <s / (1 + m s)>, and Im m > 0
                        where Im z > 0; there that solution is unique
    <.>                 average over the spectrum of Sigma
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

Nodes = Complex[np.ndarray, " k"]

HALVINGS = 40
NEWTON_STEPS = 12


class SpectralLaw(NamedTuple):
    """Eigenvalues of Sigma, their weights (sum 1), samples per dimension; d, if the 1/d term is wanted."""

    eigenvalues: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, " s"]
    psi_n: float
    size: int | None = None

    def support(self) -> tuple[float, float]:
        """Bounds on all eigenvalues of Sigma_hat, for it is Sigma^{1/2} times a Wishart matrix times it."""
        values, root = self.eigenvalues[self.weights > 0], 1.0 / math.sqrt(self.psi_n)
        low = float(values.min()) * (1.0 - root) ** 2 if self.psi_n > 1 else 0.0
        return low, float(values.max()) * (1.0 + root) ** 2


class Rule(NamedTuple):
    """A quadrature: (1/d) tr w(Sigma) g(Sigma_hat) = Re sum_j weights_j g(nodes_j), a row of weights a w.

    The nodes run along the upper half of the contour from its right end to its left one, staying off the
    real axis. g must take conjugate values at conjugate points.
    """

    nodes: Nodes
    weights: Complex[np.ndarray, "w k"]


def rule(
    law: SpectralLaw, observables: Float[np.ndarray, "w s"], offset: float, width: float, count: int
) -> Rule:
    """The midpoint rule with `count` nodes; its error falls geometrically with their number.

    Args:
        law: Sigma and psi_n.
        observables: every w at the eigenvalues of Sigma.
        offset: how far to the left of zero, at most, the contour goes; 0 leaves zero out.
        width: half the width of the ellipse in Im log(z + offset), below pi / 2.
        count: nodes on the upper half.
    """
    nodes, slopes = ellipse(law.support(), offset, width, count)
    resolvents = directions(law, observables, nodes, companion(law, nodes))
    return Rule(nodes, (1j / count) * slopes * resolvents)


def directions(
    law: SpectralLaw, observables: Float[np.ndarray, "w s"], z: Nodes, m: Nodes
) -> Complex[np.ndarray, "w k"]:
    """(1/d) tr w (Sigma_hat - z)^{-1}: its limit, or its mean at size d up to terms of order 1/d^2."""
    s, weights, q = law.eigenvalues, law.weights, 1.0 / law.psi_n
    inverse = -1.0 / (z + np.outer(s, z * m))  # 1 / (k s - z)
    limit = (observables * weights) @ inverse
    if law.size is None:
        return limit
    second, third = (
        weights[:, None] * s[:, None] * inverse**2,
        weights[:, None] * s[:, None] ** 2 * inverse**3,
    )
    strength = q * z**2 / (1.0 / m**2 - q * (weights * s**2) @ (1.0 / (1.0 + np.outer(s, m)) ** 2))
    mean = strength * third.sum(axis=0) / (1.0 - q * z * second.sum(axis=0))
    return limit + (q * z * mean * (observables @ second) + strength * (observables @ third)) / law.size


def ellipse(support: tuple[float, float], offset: float, width: float, count: int) -> tuple[Nodes, Nodes]:
    """Nodes at angles pi (j + 1/2) / count, and dz / dangle there; `support` bounds all eigenvalues."""
    low, high = (math.log(edge + offset) for edge in support)
    centre, focus = 0.5 * (low + high), 0.5 * (high - low)
    axis = math.hypot(focus, width)
    angle = np.pi * (np.arange(count) + 0.5) / count
    shifted = np.exp(centre + axis * np.cos(angle) + 1j * width * np.sin(angle))
    return shifted - offset, shifted * (-axis * np.sin(angle) + 1j * width * np.cos(angle))


def companion(law: SpectralLaw, z: Nodes) -> Nodes:
    """m at nodes z in the upper half plane, each not far from the one before; nan where not found.

    Newton's method from node to node, at first from a point so far away that m = -1/z. Wherever it ends in
    the upper half plane it has found the one solution there; where it does not, the way is halved.
    """
    far = 1e4j * law.support()[1]
    m, places = -1.0 / far, np.append(far, z)
    found = np.empty_like(z)
    with np.errstate(over="ignore", invalid="ignore"):  # Newton's method may stray: then the way is halved
        for j in range(z.size):
            m = _follow(law, places[j], places[j + 1], m, HALVINGS)
            found[j] = m
    return found


def _follow(law: SpectralLaw, start: complex, end: complex, m: complex, halvings: int) -> complex:
    """m at `end`, given that at `start`."""
    reached = _newton(law, end, m + _slope(law, m, start) * (end - start))
    if not np.isnan(reached):
        return reached
    if halvings == 0 or np.isnan(m):
        return complex(np.nan, np.nan)
    between = cmath.sqrt(start) * cmath.sqrt(end)
    m = _follow(law, start, between, m, halvings - 1)
    return _follow(law, between, end, m, halvings - 1)


def _newton(law: SpectralLaw, z: complex, m: complex) -> complex:
    for _ in range(NEWTON_STEPS):
        if not m.imag > 0:
            break
        residual, slope = _equation(law, z, m)
        step = residual / slope
        m = m - step
        if abs(step) < 1e-10 * abs(m) and m.imag > 0:  # the next step would be below rounding
            return m
    return complex(np.nan, np.nan)


def _slope(law: SpectralLaw, m: complex, z: complex) -> complex:
    """dm/dz."""
    return -1.0 / _equation(law, z, m)[1]


def _equation(law: SpectralLaw, z: complex, m: complex) -> tuple[complex, complex]:
    """z + 1/m - (1/psi_n) <s / (1 + m s)>, and its derivative by m.

    With r = 1 / (1 + m s) the last two terms are [1 - 1/psi_n + <r> / psi_n] / m, where nothing cancels as m
    grows: at psi_n = 1 the spectrum begins at zero, and all of them do.
    """
    q, r = 1.0 / law.psi_n, 1.0 / (1.0 + m * law.eigenvalues)
    mean, square = law.weights @ r, law.weights @ r**2
    residual = z + (1.0 - q + q * mean) / m
    return complex(residual), complex((q - 1.0 - 2.0 * q * mean + q * square) / m**2)
