"""Functions of the Gram matrix U as integrals of its resolvent along a contour around its spectrum.

    phi(U) = -(1/2 pi i) oint phi(z) (U - z)^{-1} dz

holds for any contour inside which phi is analytic. The functions that training makes of U are entire
(1 - e^{-tau x} over x, for one), so the contour may go around zero and a little beyond. It never has
to pass between zero and the smallest eigenvalue, and nothing need be known of that: not whether there
are zero modes (p > n m), nor a gap (p < n m), nor none (p = n m).

What bounds the contour is that phi must not grow on it. Up to time tau, e^{-tau x} is at most e^c right
of the line x = -shift, shift = c / tau; up to k steps of length `step`, |1 - step x|^k is at most e^c
inside the circle that meets the real axis in -shift and 2 / step + shift. With y = x + shift and

    eta = log(y / (1 - y / reach)),        reach = 2 / step + 2 shift (infinite for a flow),

that region is the strip |Im eta| < pi / 2 and the spectrum a segment of the real axis. The contour is
an ellipse in eta whose foci are the segment's ends: by the trapezoid rule the error falls geometrically
with the number of nodes, at a rate inverse to the segment's length, log(largest eigenvalue tau).

notation:
    x = z + ridge                      z: eigenvalue of U
    offset = ridge + shift, y = z + offset
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex

from simdiff.errors import InputError
from simdiff.theory.learning_curve import Setting
from simdiff.theory.pair_response import solve_nodes

GROWTH = 2.0
"""c: logarithm of the largest size of the decaying factor on the contour."""

HALF_WIDTH = 0.75
"""Half the width of the ellipse along Im eta: about half of the strip; errors are smallest at 0.7 to 0.8."""

EDGE_GRID = 258
"""Points a round of the search for the largest eigenvalue."""


class Region(NamedTuple):
    """Where a contour may run: the spectrum is in [low, high] of y = z + offset, the end is at `reach`."""

    offset: float
    low: float
    high: float
    reach: float

    def segment(self) -> tuple[float, float]:
        """The ends of the spectrum in eta."""
        first, last = (math.log(y / (1.0 - y / self.reach)) for y in (self.low, self.high))
        return first, last


class Contour(NamedTuple):
    """The half of a contour above the real axis, both ends on the axis, with k + 1 nodes.

    For f with f(conj z) = conj f(z), (1/2 pi i) oint f dz = 2 Re sum(measure * f(nodes)).
    """

    nodes: Complex[np.ndarray, " k+1"]
    measure: Complex[np.ndarray, " k+1"]

    def thinned(self, stride: int) -> Contour:
        """The rule with `stride` times fewer intervals: every stride-th node."""
        return Contour(self.nodes[::stride], self.measure[::stride] * stride)


def region_of(setting: Setting, longest: float, step: float = 0.0) -> Region:
    """Where the contour for times up to `longest` may run, for a flow (step 0) or for descent.

    Raises:
        InputError: a step at which descent diverges.
    """
    ridge, shift = float(setting.ridge), GROWTH / longest
    offset = ridge + shift
    high = eigenvalue_bound(setting) + offset
    if step == 0.0:
        return Region(offset, offset, high, math.inf)
    reach = 2.0 / step + 2.0 * shift
    if high > 0.75 * reach:  # the bound is generous: look where the spectrum really ends
        largest = largest_eigenvalue(setting)
        if (largest + ridge) * step >= 2.0:
            hint = f"U + ridge has eigenvalues up to {largest + ridge:.6g}: longer steps diverge"
            raise InputError("trainer.step", step, f"a number < {2.0 / (largest + ridge):.6g}", hint)
        high = largest + offset + 0.1 * (reach - largest - offset)
    return Region(offset, offset, high, reach)


def contour_in(region: Region, intervals: int) -> Contour:
    """The ellipse around the spectrum, with `intervals` intervals on its upper half."""
    first, last = region.segment()
    centre, focus = 0.5 * (first + last), 0.5 * (last - first)
    axis = math.hypot(focus, HALF_WIDTH)
    theta = np.pi * np.arange(intervals + 1) / intervals
    growth = np.exp(centre + axis * np.cos(theta) + 1j * HALF_WIDTH * np.sin(theta))
    d_eta = -axis * np.sin(theta) + 1j * HALF_WIDTH * np.cos(theta)
    share = 1.0 / (1.0 + growth / region.reach)
    measure = growth * share**2 * d_eta / (2j * intervals)
    measure[[0, -1]] *= 0.5
    return Contour(growth * share - region.offset, measure)


def eigenvalue_bound(setting: Setting) -> float:
    """A number that no eigenvalue of U exceeds: the sum of such bounds for the two groups of rows.

    N Gaussian rows of covariance C in p dimensions have a Gram matrix (1/N) F^T F of norm at most
    |C| (1 + sqrt(p/N))^2, and C = S_g seen through W plus b_g has norm at most |S_g| (1 + sqrt(p/d))^2 + b_g.
    """
    i, draws = float(setting.i), float(setting.psi_p) / float(setting.psi_n)
    signal = float(setting.mu1) ** 2 * float(setting.a2) * float(np.max(setting.eigenvalues))
    noise = float(setting.mu1) ** 2 * float(setting.h)
    seen = (1.0 + math.sqrt(setting.psi_p)) ** 2
    first = (signal + i * noise) * seen + float(setting.v2) + i * float(setting.s2)
    second = noise * seen + float(setting.s2)
    return first * (1.0 + math.sqrt(draws)) ** 2 + second * (math.sqrt(1.0 - i) + math.sqrt(i * draws)) ** 2


def feature_variance(setting: Setting) -> float:
    """(1/p) tr U: the mean eigenvalue."""
    variance = float(setting.a2) * float(setting.weights @ setting.eigenvalues) + float(setting.h)
    return float(setting.mu1) ** 2 * variance + float(setting.v2) + float(setting.s2)


def largest_eigenvalue(setting: Setting) -> float:
    """Where the spectrum of U ends, to about 1e-7, approached from above.

    The last place, on ever finer grids, with an imaginary part of gamma. A bulk at the top that is
    narrower than 0.5% of its place may be missed; the mass that the contour encloses then tells.
    """
    traced = Setting(*(jnp.asarray(field, dtype=jnp.float64) for field in setting))
    low, high = feature_variance(setting), eigenvalue_bound(setting)
    for _ in range(3):
        grid = np.geomspace(low, high, EDGE_GRID)
        nodes = solve_nodes(traced, jnp.asarray(grid))
        lifted = jnp.abs(nodes.gamma.imag) > 1e-7 * jnp.abs(nodes.gamma)
        inside = np.flatnonzero(lifted | ~nodes.converged)
        last = min(inside[-1], EDGE_GRID - 2) if inside.size else 0
        low, high = grid[last], grid[last + 1]
    return float(high)
