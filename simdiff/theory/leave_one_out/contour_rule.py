"""Functionals (1/d) E tr w(Sigma) g(Sigma_hat) for points of any law, by a contour around all eigenvalues.

As in `linear_chain.one_point`, with the leave-one-out equivalent and its term of order 1/N for the resolvent:

    (1/d) E tr w g(Sigma_hat) = -(1/2 pi i) oint g(z) (1/d) tr w E (Sigma_hat - z)^{-1} dz

Numbers of nodes are multiplied by three: then the nodes of the smaller rule are among those of the larger
one and nothing is solved twice. With every tripling errors are cubed, up to constants, so where two rules
agree to 2% the larger one is good to about 1e-5. The small term of order 1/N is taken with the nodes of the
first rule. A rule that does not give (1/d) tr 1 = 1 and (1/d) tr Sigma_hat = 1 has not caught all
eigenvalues, and says nothing.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.leave_one_out.equivalent import Equivalent, solve
from simdiff.theory.leave_one_out.finite_size import correction
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.leave_one_out.slope import beside, slope
from simdiff.theory.linear_chain.one_point import Rule, ellipse
from simdiff.theory.linear_chain.overlap import root_nodes

COUNTS = (24, 72, 216)
"""Nodes of the rules tried in turn."""

CLOSE = 0.02
"""Two rules that agree so far: the larger one has an error of the order of its cube."""

ROOT_RULE = (0.75, 11.0)
"""Step and span of the nodes for E Sigma_hat^{1/2}, see `linear_chain.overlap.root_nodes`."""

STEP = 1e-3
"""Step off the real axis, relative to the distance from zero; relative errors are of its square, 1e-6."""

CAUGHT = 1e-5
"""Largest error of the two traces that are known."""

Diagonal = Complex[np.ndarray, " d"]


class Functionals:
    """Rules for one population and N = `count`; solutions at nodes are kept."""

    def __init__(self, points: Population, count: int) -> None:
        self.points, self.count = points, count
        self._known: dict[complex, Equivalent] = {}
        self._small: dict[complex, Complex[np.ndarray, "d d"]] = {}

    @property
    def edges(self) -> tuple[float, float]:
        """Bounds on all eigenvalues, from the largest of Sigma and the longest point."""
        largest, longest = float(self.points.eigenvalues[0]), float(self.points.lengths.max())
        return 0.0, (math.sqrt(largest) + math.sqrt(longest / self.count)) ** 2

    def rule(self, observables: Float[np.ndarray, "w d"], offset: float, width: float, count: int) -> Rule:
        """As `linear_chain.one_point.rule`; weights are nan where nodes are not to be trusted."""
        z, slopes = ellipse(self.edges, offset, width, count)
        stride = count // COUNTS[0]
        first = slice(stride // 2, None, stride)  # the nodes of the first rule
        weighted = (1j / count) * slopes * np.stack([self._leading(node) for node in z], axis=1)
        known = np.stack([np.ones_like(z), z]) @ weighted.mean(axis=0)
        caught = bool(np.max(np.abs(known.real - 1.0)) < CAUGHT) or count == COUNTS[0]
        small = np.stack([self._correction(node) for node in z[first]], axis=1)
        weighted[:, first] += (1j / COUNTS[0]) * slopes[first] * small
        return Rule(
            z, (observables @ weighted) / self.points.eigenvalues.size * (1.0 if caught else math.nan)
        )

    def mean_square(
        self, offset: float, width: float, count: int, root: Complex[np.ndarray, "t k"]
    ) -> Float[np.ndarray, " t"]:
        """(1/d) tr (E phi(Sigma_hat))^2 at every time, from phi at the nodes of `rule`."""
        mean = self.mean_map(offset, width, count, root)
        return np.sum(mean**2, axis=(1, 2)) / self.points.eigenvalues.size

    def mean_map(
        self, offset: float, width: float, count: int, root: Complex[np.ndarray, "t k"]
    ) -> Float[np.ndarray, "t d d"]:
        """E phi(Sigma_hat) at every time; `rule` with these nodes comes first."""
        z, slopes = ellipse(self.edges, offset, width, count)
        stride, measure = count // COUNTS[0], (1j / count) * slopes
        mean = sum(
            np.multiply.outer(root[:, j] * measure[j], self._at(complex(z[j])).resolvent)
            for j in range(z.size)
        )
        for j in range(stride // 2, z.size, stride):
            mean = mean + np.multiply.outer(stride * root[:, j] * measure[j], self._small[complex(z[j])])
        return mean.real

    def mean_root(self) -> Float[np.ndarray, "d d"]:
        """E Sigma_hat^{1/2}, as an integral over the negative axis, see `linear_chain.overlap`.

        Its nodes are few: errors are of 1e-5, relative to the root of the largest eigenvalue.
        """
        u, step = root_nodes(self.edges[1], *ROOT_RULE)
        total = sum(node * self._bounded(float(node)) for node in u)
        return (2.0 / math.pi) * step * total

    def _bounded(self, u: float) -> Float[np.ndarray, "d d"]:
        """E Sigma_hat (Sigma_hat + u^2)^{-1}, order 1/N included."""
        found = self._at(complex(-(u**2)))
        whole = found.resolvent + correction(self.points, self.count, found)
        bounded = np.eye(len(whole)) - u**2 * whole.real
        return bounded * (1.0 if found.converged else math.nan)

    def on_axis(self, z: float) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        """Diagonal of E (Sigma_hat - z)^{-1} at z < 0, and its derivative; nan where not found.

        Order 1/N is included, whose derivative is taken by a small step off the axis.
        """
        found = self._at(complex(z))
        rising = slope(self.points, self.count, found)
        small = correction(self.points, self.count, beside(found, rising, STEP * abs(z)))
        sound = 1.0 if found.converged and rising.converged else math.nan
        value = np.diag(found.resolvent).real + np.diag(small).real
        return sound * value, sound * (np.diag(rising.resolvent) + np.diag(small).imag / (STEP * abs(z)))

    def _leading(self, z: complex) -> Diagonal:
        found = self._at(complex(z))
        return np.diag(found.resolvent) * (1.0 if found.converged else math.nan)

    def _correction(self, z: complex) -> Diagonal:
        z = complex(z)
        if z not in self._small:
            self._small[z] = correction(self.points, self.count, self._at(z))
        return np.diag(self._small[z])

    def _at(self, z: complex) -> Equivalent:
        if z not in self._known:
            self._known[z] = solve(self.points, self.count, z, self._nearest(z))
        return self._known[z]

    def _nearest(self, z: complex) -> np.ndarray | None:
        """The solution at the node nearest to z, in the logarithm."""
        sound = [(abs(np.log(z / other)), at.forms) for other, at in self._known.items() if at.converged]
        return min(sound, key=lambda pair: pair[0])[1] if sound else None
