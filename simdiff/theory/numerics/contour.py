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

import numpy as np
from jaxtyping import Complex

GROWTH = 2.0
"""c: logarithm of the largest size of the decaying factor on the contour."""

HALF_WIDTH = 0.75
"""Half the width of the ellipse along Im eta: about half of the strip; errors are smallest at 0.7 to 0.8."""


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
