"""Functionals (1/d) tr w(Sigma) g(Sigma_hat) of elliptical samples, by a contour around all eigenvalues.

For N = psi_n d samples r Sigma^{1/2} g the resolvent of their second moment acts like

    (Sigma_hat - z)^{-1} ~ (k Sigma - z)^{-1},     k = E r^2 / (1 + r^2 X),     X = (1/psi_n) <s / (k s - z)>

and the rest is `linear_chain.one_point`, whose k this is at r = 1. In the upper half plane the solution has
Im X > 0 and Im (-k/z) > 0; it is followed from afar, for all nodes at once.

Sources: El Karoui, Annals of Applied Probability 19, 2362 (2009); Couillet, Pascal, Silverstein, Journal of
Multivariate Analysis 139, 56 (2015), for uniqueness.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.linear_chain.one_point import Rule, ellipse
from simdiff.theory.linear_chain.overlap import TURN, root_nodes
from simdiff.theory.mixed_gaussians.classes import Classes

STEPS = 30
"""Newton steps at one distance from the axis; where they do not settle, weights are nan."""


@dataclasses.dataclass(frozen=True)
class Radial:
    """Elliptical samples: radii with their probabilities, a spectrum with its weights."""

    squares: Float[np.ndarray, " K"]
    probabilities: Float[np.ndarray, " K"]
    eigenvalues: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, " s"]
    psi_n: float

    @property
    def points(self) -> Radial:
        """Itself: where a spectrum is asked for."""
        return self

    def support(self) -> tuple[float, float]:
        """Bounds on all eigenvalues of Sigma_hat."""
        s, root = self.eigenvalues[self.weights > 0], 1.0 / math.sqrt(self.psi_n)
        low = float(s.min() * self.squares.min()) * (1.0 - root) ** 2 if self.psi_n > 1 else 0.0
        return low, float(s.max() * self.squares.max()) * (1.0 + root) ** 2

    def rule(self, observables: Float[np.ndarray, "w s"], offset: float, width: float, count: int) -> Rule:
        """As `linear_chain.one_point.rule`; weights are nan where the solution was not found."""
        z, slopes = ellipse(self.support(), offset, width, count)
        inverse = 1.0 / (np.outer(self.eigenvalues, self.shrinkage(z)) - z)
        return Rule(z, (1j / count) * slopes * ((observables * self.weights) @ inverse))

    def mean_square(
        self, offset: float, width: float, count: int, root: Complex[np.ndarray, "t k"]
    ) -> Float[np.ndarray, " t"]:
        """(1/d) tr (E phi(Sigma_hat))^2 at every time, from phi at the nodes of `rule`."""
        along = self.rule(np.diag(1.0 / self.weights), offset, width, count)
        return np.real(root @ along.weights.T) ** 2 @ self.weights

    def mean_root(self) -> Float[np.ndarray, " s"]:
        """E Sigma_hat^{1/2} along every eigenvector of Sigma, see `linear_chain.overlap`."""
        u, step = root_nodes(self.support()[1])
        z = -(u**2) * np.exp(-1j * TURN)
        share = 1.0 + z / (np.outer(self.eigenvalues, self.shrinkage(z)) - z)
        return (2.0 / np.pi) * step * (share.real * u).sum(axis=1)

    def shrinkage(self, z: Complex[np.ndarray, " k"]) -> Complex[np.ndarray, " k"]:
        """k at nodes in the upper half plane; nan where not found."""
        height = 100.0 * (self.support()[1] + float(np.abs(z).max()))
        k = np.ones_like(z)
        with np.errstate(all="ignore"):  # what strays becomes nan
            while height > 0.1 * float(z.imag.min()):
                k, _ = self._newton(z + 1j * height, k)
                height *= 0.5
            k, sound = self._newton(z, k)
        return np.where(sound, k, complex(math.nan, math.nan))

    def _newton(self, z: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Newton's method for k at all nodes, and where it settled on the right branch."""
        for _ in range(STEPS):
            x, slope = self._load(z, k)
            share = self.squares / (1.0 + np.outer(x, self.squares))
            residual = k - share @ self.probabilities
            step = residual / (1.0 + slope * (share**2 @ self.probabilities))
            k = k - step
            if not (np.abs(step) > 1e-13 * np.abs(k)).any():
                break
        x, _ = self._load(z, k)
        sound = (np.abs(step) < 1e-9 * np.abs(k)) & (x.imag > 0) & ((-k / z).imag > 0)
        return k, sound

    def _load(self, z: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """X, and dX/dk."""
        share = self.eigenvalues / (np.outer(k, self.eigenvalues) - z[:, None])
        return share @ self.weights / self.psi_n, -(share**2) @ self.weights / self.psi_n


def radial(classes: Classes, psi_n: float) -> Radial | None:
    """Classes that are radii: multiples of one covariance, which is their mean; None where they are not."""
    mean = classes.probabilities @ classes.eigenvalues
    squares = classes.eigenvalues @ classes.directions / (mean @ classes.directions)
    alike = np.allclose(classes.eigenvalues, np.outer(squares, mean), rtol=1e-9, atol=0.0)
    if not alike or np.any(classes.means):
        return None
    return Radial(squares, classes.probabilities, mean, classes.directions, psi_n)
