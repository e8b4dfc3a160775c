"""A planted direction of variance ell in a bulk: what linear sampling makes of it.

The sampled covariance is F(Sigma_hat). Where F increases, its leading eigenvector is that of Sigma_hat,
whatever ridge or schedule, and the largest eigenvalue leaves the bulk where psi' > 0:

    psi(ell) = ell (1 + q <s / (ell - s)>),      psi'(ell) = 1 - q <s^2 / (ell - s)^2>,      q = 1 / psi_n
    recovery = (v . v_hat)^2 -> ell psi'(ell) / psi(ell) where psi'(ell) > 0, and 0 elsewhere

(Baik, Ben Arous, Peche, Annals of Probability 33, 1643 (2005); for a bulk of any spectrum, Bai, Yao, J.
Multivariate Analysis 106, 167 (2012), and Benaych-Georges, Nadakuditi, Advances in Mathematics 227, 494
(2011)). For a bulk at 1 the transition is at ell = 1 + sqrt(q). It is one of directions alone. The variance
that is sampled along the planted direction, v^T F v / ell, has none: it is a functional along one eigenvector
of Sigma, smooth in ell, and depends on the ridge.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from simdiff.theory.linear_chain.one_point import SpectralLaw, rule
from simdiff.theory.protocols import Chain, Spike

COUNTS, ACCURACY, WIDTH = (64, 128, 256, 512), 1e-8, 0.75
GRID = 256
"""Eigenvalues at which F is looked at."""


def recovery(planted: Spike, psi_n: float) -> float:
    """The limit of (v . v_hat)^2, v_hat the leading eigenvector of the samples' covariance."""
    place, slope = outlier(planted, planted.spike, psi_n)
    return planted.spike * slope / place if slope > 0.0 else 0.0


def outlier(bulk: Spike, ell: float, psi_n: float) -> tuple[float, float]:
    """psi(ell), where the largest eigenvalue of Sigma_hat is if the second, psi'(ell), is positive."""
    s, weights = bulk.eigenvalues, bulk.weights
    place = ell * (1.0 + float(weights @ (s / (ell - s))) / psi_n)
    return place, 1.0 - float(weights @ (s / (ell - s)) ** 2) / psi_n


def transition(bulk: Spike, psi_n: float) -> float:
    """The spike above which recovery in this bulk is positive: psi'(ell) = 0."""
    from scipy.optimize import brentq

    top = float(bulk.eigenvalues.max())
    far = top * (2.0 + 2.0 / math.sqrt(psi_n))

    def slope(excess: float) -> float:
        return outlier(bulk, top + excess, psi_n)[1]

    return top + float(brentq(slope, 1e-9 * top, far, xtol=1e-12))


def planted_metrics(problem: Chain, law: SpectralLaw) -> dict[str, Float[np.ndarray, " t"]]:
    """Recovery, in the limit, and the variance along the spike, as `one_point` has it; arrays over times.

    Recovery is nan where F does not increase, as steps that are too coarse may make it: then other directions
    may have the largest variance.
    """
    planted = problem.data.planted()
    x = np.linspace(law.support()[0], law.support()[1], GRID)
    rises = (np.diff(problem.spectral_functions(x).variance, axis=1) > 0.0).all(axis=1)
    found = recovery(planted, float(problem.psi_n))
    return {
        "recovery": np.where(rises, found, math.nan),
        "planted_variance": _along(problem, law) / planted.spike,
    }


def _along(problem: Chain, law: SpectralLaw) -> Float[np.ndarray, " t"]:
    """E v^T F(Sigma_hat) v by two contours that agree; nan where none do."""
    first = np.zeros((1, law.eigenvalues.size))
    first[0, 0] = 1.0 / law.weights[0]
    before = np.array(math.nan)
    for count in COUNTS:
        nodes, weights = rule(law, first, 0.5 * float(problem.margin), WIDTH, count)
        value = np.real(problem.spectral_functions(nodes).variance @ weights[0])
        if np.all(np.abs(value - before) < ACCURACY * np.abs(value)):
            return value
        before = value
    return np.full_like(value, math.nan)
