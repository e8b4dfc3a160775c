"""The fixed point behind linear denoisers trained on m noise draws per sample, for any spectrum.

Training regresses on x_t = a x + sqrt(h) z itself. Rotating the m draws of each sample into their mean
direction and m - 1 orthogonal ones turns the second moment of the n m rows into

    U = (1/n) sum_{n rows} y y^T + (1/(n m)) sum_{n (m - 1) rows} y y^T,

independent Gaussian rows y of covariances C_1 (first sum) and C_2 (second sum). Leaving one row out of
either sum gives a deterministic equivalent of the resolvent, and two scalars that fix it:

    (U + ridge)^{-1} ~ 1 / L,      L = ridge + k_1 C_1 + (1 - i) k_2 C_2
    psi_n (1 - k_1) = k_1 <C_1 / L>
    psi_n (1 - k_2) = i k_2 <C_2 / L>

It is the limit psi_p -> infinity, at ridge psi_p times this ridge, of the identity's random features
(`fixed_point`: kappa_g = k_g, gamma -> 1 / ridge). At m = infinity (i = 0) k_2 = 1 and k_1 is the scalar of
`one_point` at z = -(h + ridge) / a^2.

The solution is followed from a ridge so large that it is known, by Newton steps in (log k_1, log k_2) that
subtract no like quantities: where n m < d and the ridge vanishes, so do k_1 and k_2, accurately.

notation:
    i = 1/m, <.> = average over the spectrum of the data covariance
    C_1(s) = a^2 s + i h,  C_2 = h      variance of a row along an eigenvector of eigenvalue s
    k_1, k_2                            factors by which training residuals of each group shrink
    W = k_1 k_2 <C_1 C_2 / L^2>,  e_1 = psi_n k_1 + k_1 ridge <C_1 / L^2>,
    e_2 = psi_n k_2 + i k_2 ridge <C_2 / L^2>
    [[e_1 + (1 - i) W, -(1 - i) W], [-i W, e_2 + i W]]      the Jacobian in the logarithms
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Inexact

from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.numerics.continuation import LONGEST_STEP, MOST_STEPS, NEAR, STRIDE

PerPoint = Inexact[np.ndarray, " k"]
PerAtom = Inexact[np.ndarray, "k s"]

SETTLED, TOLERANCE = 1e-12, 1e-8
"""Newton stops at a step below the first; a point with a last step above the second has not converged."""


class Solution(NamedTuple):
    """K solutions: k_1 and k_2 at each ridge, and 1 / L along every direction."""

    ridge: PerPoint
    k1: PerPoint
    k2: PerPoint
    inverse: PerAtom
    converged: Bool[np.ndarray, " k"]


class Rows(NamedTuple):
    """What the fixed point depends on besides the ridge: fields of k points, or one for all."""

    psi_n: Float[np.ndarray, "#k"]
    i: Float[np.ndarray, "#k"]
    c1: Float[np.ndarray, "#k s"]
    c2: Float[np.ndarray, "#k 1"]
    weights: Float[np.ndarray, "#k s"]


def rows_of(setting: TheoryInputs) -> Rows:
    """The two groups at one setting, or at many that have a leading axis."""
    psi_n, i, a2, h = (
        np.atleast_1d(np.asarray(x)) for x in (setting.psi_n, setting.i, setting.a2, setting.h)
    )
    eigenvalues, weights = (np.atleast_2d(np.asarray(x)) for x in (setting.eigenvalues, setting.weights))
    return Rows(psi_n, i, a2[:, None] * eigenvalues + (i * h)[:, None], h[:, None], weights)


def solve(rows: Rows, ridge: PerPoint) -> Solution:
    """Solve the fixed point at every ridge, real and positive or complex and off the negative spectrum of U.

    Never raises: look at `converged`. A complex solution counts as that only where k_g / ridge have the
    imaginary parts that Stieltjes transforms have.
    """
    far = np.maximum(_large_ridge(rows), np.abs(ridge))
    path = np.log(far) - np.log(ridge)
    stages = int(np.ceil(np.max(np.abs(path)) / STRIDE))
    x = np.zeros((2, ridge.size), path.dtype)
    with np.errstate(all="ignore"):  # what strays becomes nan, and is not converged
        for left in range(stages, 0, -1):
            x, _ = _newton(rows, ridge * np.exp(left * path / stages), x, NEAR)
            here = ridge * np.exp(left * path / stages)
            x = x - _steps(rows, here, x)[1] * (path / stages)
        x, size = _newton(rows, ridge, x, SETTLED)
        k1, k2 = np.exp(x)
        inverse = 1.0 / level(rows, ridge, k1, k2)
    sound = np.isfinite(size) & (size <= TOLERANCE) & _on_branch(ridge, k1, k2)
    return Solution(ridge, k1, k2, inverse, sound)


def level(rows: Rows, ridge: PerPoint, k1: PerPoint, k2: PerPoint) -> PerAtom:
    """L along every direction."""
    return (ridge[:, None] + k1[:, None] * rows.c1) + ((1.0 - rows.i) * k2)[:, None] * rows.c2


def _large_ridge(rows: Rows) -> Float[np.ndarray, "#k"]:
    """A ridge at which k_1 = k_2 = 1 to about ten percent."""
    return 10.0 * (rows.weights * (rows.c1 + rows.c2)).sum(axis=1) * (1.0 + 1.0 / rows.psi_n)


def _newton(rows: Rows, ridge: PerPoint, x: np.ndarray, enough: float) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method at one ridge a point, and the length of the last step."""
    size = np.full(ridge.size, np.inf)
    for _ in range(MOST_STEPS):
        newton, _ = _steps(rows, ridge, x)
        size = np.abs(newton).sum(axis=0)
        x = x + newton * np.minimum(1.0, LONGEST_STEP / np.maximum(size, 1e-300))
        if not (size > enough).any():
            break
    return x, size


def _steps(rows: Rows, ridge: PerPoint, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Newton step at x = log (k_1, k_2), and dx / d log ridge along the solution.

    Each equation enters as log(its positive terms / psi_n), which Newton solves from afar.
    """
    psi_n, i = rows.psi_n, rows.i
    k1, k2 = np.exp(x)
    inverse = 1.0 / level(rows, ridge, k1, k2)
    weighted = rows.weights * inverse
    first = [(weighted * c).sum(axis=1) for c in (rows.c1, rows.c2)]
    squares = [(weighted * inverse * c).sum(axis=1) for c in (rows.c1, rows.c2, rows.c1 * rows.c2)]
    f1, f2 = psi_n * k1 + k1 * first[0], psi_n * k2 + i * k2 * first[1]
    held1, held2 = k1 * ridge * squares[0], i * k2 * ridge * squares[1]
    e1, e2, w = psi_n * k1 + held1, psi_n * k2 + held2, k1 * k2 * squares[2]
    right1 = np.stack([f1 * np.log(psi_n / f1), held1])
    right2 = np.stack([f2 * np.log(psi_n / f2), held2])
    determinant = e1 * e2 + (i * e1 + (1.0 - i) * e2) * w
    change1 = ((e2 + i * w) * right1 + (1.0 - i) * w * right2) / determinant
    change2 = (i * w * right1 + (e1 + (1.0 - i) * w) * right2) / determinant
    both = np.stack([change1, change2])
    return both[:, 0], both[:, 1]


def _on_branch(ridge: PerPoint, k1: PerPoint, k2: PerPoint) -> Bool[np.ndarray, " k"]:
    values = np.stack([k1 / ridge, k2 / ridge])
    return np.all(values.imag * np.sign(-ridge.imag) >= -1e-9 * np.abs(values), axis=0)
