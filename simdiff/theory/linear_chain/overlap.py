"""Two models trained on independent sets and given the same noise: the mean map from noise to sample.

The map is phi(Sigma_hat) = F(Sigma_hat)^{1/2}. Its mean D over training sets is diagonal in the eigenbasis of
Sigma, and two independent sets have

    consistency = tr D^2 / tr Sigma,        spread = (2/d) (E tr F - tr D^2)

so a resolvent along every eigenvector is all that is needed: (k s - z)^{-1} and its term of order 1/d
(`one_point`). Where F(x) = x, as in exact sampling without ridge, phi has a branch point at zero, which may
be an eigenvalue, and

    x^{1/2} = (2/pi) int_0^inf x / (x + u^2) du

takes the place of the contour, at any N/d. Two sets differ by twice the variance of one, mode by mode: see
Wang, Zavatone-Veth, Pehlevan, arXiv 2602.02908.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.linear_chain.one_point import SpectralLaw, companion, directions, rule

TURN = 1e-7
"""Resolvents are taken this far off the negative axis, in radians."""


def along_modes(
    law: SpectralLaw, offset: float, width: float, count: int, g: Complex[np.ndarray, "t k"]
) -> Float[np.ndarray, "t s"]:
    """E g(Sigma_hat) along every eigenvector of Sigma, from g at the nodes of `one_point.rule`."""
    along = rule(law, np.diag(1.0 / law.weights), offset, width, count)
    return np.real(g @ along.weights.T)


def mean_map_square(
    law: SpectralLaw, offset: float, width: float, count: int, root: Complex[np.ndarray, "t k"]
) -> Float[np.ndarray, " t"]:
    """(1/d) tr D^2 at every time, from phi at the nodes of `one_point.rule`."""
    return along_modes(law, offset, width, count, root) ** 2 @ law.weights


def exact_map_square(law: SpectralLaw) -> Float[np.ndarray, " 1"]:
    """The same where F(x) = x."""
    return np.atleast_1d(exact_map(law) ** 2 @ law.weights)


def exact_map(law: SpectralLaw) -> Float[np.ndarray, " s"]:
    """D along every eigenvector of Sigma where F(x) = x."""
    u, step = root_nodes(law.support()[1])
    z = -(u**2) * np.exp(-1j * TURN)
    resolvents = directions(law, np.diag(1.0 / law.weights), z, companion(law, z))
    integrand = (1.0 + z * resolvents).real * u
    return (2.0 / np.pi) * step * integrand.sum(axis=1)


def root_nodes(
    largest: float, step: float = 0.05, span: float = 18.0
) -> tuple[Float[np.ndarray, " u"], float]:
    """u, far to near, around the root of the largest eigenvalue, and the step of log u.

    The trapezoid rule has errors of exp(-pi^2 / step) and, at its ends, exp(-span).
    """
    return np.exp(np.arange(span, -span, -step)) * np.sqrt(largest), step
