"""Where the eigenvalues of U are: the intervals of the support of their density, however many.

A scan that is even in log x is refined by what it finds. The fraction of eigenvalues below x is known
without a quadrature (`spectral_boundary`), so two neighbouring places outside the support between
which it grows have an interval between them, however narrow; a gap shows as a minimum of the density,
which is followed down to a relative width of about 1e-5 (narrower gaps may count as closed). Edges are
then bracketed and, because the square of the density is analytic up to them, extrapolated from inside to
rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simdiff.theory.denoising.fixed_point import System
from simdiff.theory.denoising.spectral_boundary import BATCH, boundary

REACH = 1e-20
"""Smallest x looked at, as a fraction of a bound on the spectrum: below, rounding hides a hard edge."""

ROUNDS = 4
"""Times that the scan is refined, each by about BATCH places."""

MOST_ROUNDS = 40
"""The same where intervals are still hidden, and for brackets of edges."""

COARSE = 0.01
"""Largest fraction of the eigenvalues between neighbours of the finished scan."""

NOTHING = 1e-9
"""Fractions of the eigenvalues that do not count."""

CLOSE = 1e-4
"""Width at which a bracket of an edge is left to extrapolation, relative to the intervals it separates."""


class Scan(NamedTuple):
    """Places in order: y = log x, the fraction of eigenvalues below, is it in the support, x Im gamma."""

    y: np.ndarray
    below: np.ndarray
    inside: np.ndarray
    level: np.ndarray


class Support(NamedTuple):
    """k intervals: edges (k, 2), fractions of eigenvalues below them (k, 2), and the scan they came from.

    `far` is beyond all of them: where `boundary` may start.
    """

    edges: np.ndarray
    below: np.ndarray
    scan: Scan
    far: float


def beyond(system: System) -> float:
    """A bound on the spectrum of U, from the norms of its Gaussian parts; at most some 30 times its edge."""
    i, p, n = system.i, system.psi_p, system.psi_n
    linear = np.max(system.s1 + (1 - i) * system.s2) * (1 + np.sqrt(p)) ** 2 * (1 + 1 / np.sqrt(n)) ** 2
    excess = (system.b1 + system.b2) * (1 + np.sqrt(p / n)) ** 2
    return 4.0 * float(linear + excess)


def support(system: System, atom: float) -> Support:
    """All intervals of the support on x > 0, in order; a first edge of 0 is a hard one.

    `atom` is the fraction of eigenvalues at 0, which a scan of x > 0 need not see under a hard edge.
    """
    far = beyond(system)
    scan = _refined(system, far) if far > 0 else Scan(*np.zeros((4, 0)))
    change = np.flatnonzero(np.diff(np.concatenate([[False], scan.inside, [False]])))
    if not change.size:
        return Support(np.zeros((0, 2)), np.zeros((0, 2)), scan, far)
    inner = np.stack([change[::2], change[1::2] - 1], axis=1)
    outer = inner + np.array([-1, 1])
    soft = outer >= 0
    below = np.where(soft, scan.below[np.maximum(outer, 0)], atom)
    edges = np.zeros(inner.shape)
    scale = _scales(scan, inner)
    edges[soft] = np.exp(_edges(system, far, scan.y[outer[soft]], scan.y[inner[soft]], scale[soft]))
    return Support(edges, below, scan, far)


def _scales(scan: Scan, inner: np.ndarray) -> np.ndarray:
    """The shorter of the interval and the gap that meet at an edge, in log x and at most 1; (k, 2)."""
    length = np.diff(scan.y[inner], axis=1) + np.zeros(inner.shape)
    gaps = scan.y[inner[1:, 0]] - scan.y[inner[:-1, 1]]
    gap = np.stack([np.append(1.0, gaps), np.append(gaps, 1.0)], axis=1)
    return np.minimum(1.0, np.minimum(gap, np.maximum(length, 1e-12)))


def _look(system: System, far: float, y: np.ndarray) -> Scan:
    """The spectrum at places in order."""
    found = boundary(system, np.exp(y), far)
    level = np.where(found.inside, found.gamma.imag * np.exp(y), 0.0)
    return Scan(y, found.below, found.inside, level)


def _refined(system: System, far: float) -> Scan:
    """The scan after some rounds of splitting cells, and as many more as hidden intervals need."""
    scan = _look(system, far, np.linspace(np.log(REACH * far), np.log(far), BATCH))
    for k in range(MOST_ROUNDS):
        split = np.flatnonzero(_hidden(scan) if k >= ROUNDS else _worth_splitting(scan))
        if not split.size:
            break
        parts = max(2, BATCH // split.size) + 1
        share = np.arange(1, parts) / parts
        new = scan.y[split, None] * (1.0 - share) + scan.y[split + 1, None] * share
        scan = _merge(scan, _look(system, far, new.ravel()))
    return scan


def _merge(old: Scan, new: Scan) -> Scan:
    order = np.argsort(np.concatenate([old.y, new.y]), kind="stable")
    return Scan(*(np.concatenate(pair)[order] for pair in zip(old, new, strict=True)))


def _hidden(scan: Scan) -> np.ndarray:
    """Cells whose ends lie outside the support with eigenvalues between them."""
    outside = ~scan.inside[:-1] & ~scan.inside[1:]
    return outside & (np.diff(scan.below) > NOTHING) & (np.diff(scan.y) > 1e-14)


def _worth_splitting(scan: Scan) -> np.ndarray:
    """Cells with an edge, a hidden interval, much of the mass, or next to a minimum of the density."""
    edge = scan.inside[:-1] != scan.inside[1:]
    dip = np.zeros(scan.y.size, dtype=bool)
    middle = scan.level[1:-1]
    dip[1:-1] = scan.inside[1:-1] & (middle < scan.level[:-2]) & (middle < scan.level[2:])
    return edge | _hidden(scan) | (np.diff(scan.below) > COARSE) | dip[:-1] | dip[1:]


def _edges(system: System, far: float, a: np.ndarray, b: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Edges between a outside and b inside the support, all in log x."""
    parts = max(8, BATCH // a.size)
    share = np.arange(parts + 1) / parts
    rows = np.arange(a.size)
    for _ in range(MOST_ROUNDS):
        if np.all(np.abs(b - a) <= CLOSE * scale):
            break
        y = a[:, None] * (1.0 - share) + b[:, None] * share
        inside = share + 0 * y > 0
        inside[:, 1:-1] = _look(system, far, y[:, 1:-1].ravel()).inside.reshape(a.size, -1)
        first = np.argmax(inside, axis=1)
        a, b = y[rows, first - 1], y[rows, first]
    return np.clip(_extrapolated(system, far, b, scale * np.sign(b - a)), np.minimum(a, b), np.maximum(a, b))


def _extrapolated(system: System, far: float, b: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Where sin^2 of the argument of gamma vanishes: log x as a cubic of it, through four places inside."""
    y = b[:, None] + CLOSE * scale[:, None] * np.arange(1, 5)
    gamma = boundary(system, np.exp(y.ravel()), far).gamma.reshape(y.shape)
    f = (gamma.imag / np.abs(gamma)) ** 2
    other = ~np.eye(4, dtype=bool)
    terms = f[:, None, :] / np.where(other, f[:, None, :] - f[:, :, None], 1.0)
    return np.sum(y * np.prod(np.where(other, terms, 1.0), axis=2), axis=1)
