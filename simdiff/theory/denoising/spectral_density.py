"""The limiting law of the eigenvalues of U = (1/(n m)) sum f f^T, the Gram matrix of the features.

Training is governed by it: gradient flow learns along an eigenvector of eigenvalue u at times of order
1/u, and the ridge cuts at u = ridge. With p much larger than n its eigenvalues fall apart into groups:
d large ones that carry the linear part of the features, n that carry what the draws of one sample
share, and, while p allows, n(m - 1) that carry the rest.

Density rho(x) = Im gamma / (pi psi_p) at ridge -x - i0 (`spectral_boundary`), on the intervals that
`spectral_edges` finds, and atoms:

    at 0   where p exceeds the rank of U: n m of the excess v2, s2, plus, for a linear activation, d at most
    at s2  for m = infinity, where the excess of a single draw averages to s2 times the identity, and p
           exceeds the rank n + d of everything else

Where p equals that rank the density has a hard edge there and diverges, like x^(-1/2) as a rule. The law
of U resolves the eigenvalues of the data's covariance the better the larger n and p are: those that stand
for a continuous law must be many then, or spurious gaps appear; a data law's `fine_spectrum()` gives them.

Source: George, Veiga, Macris, arXiv 2502.00336 (the fixed point); Bonnaire, Urfin, Biroli, Mezard, arXiv
2505.17638 (two groups and the two time scales of training).
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any

import numpy as np

from simdiff.errors import check_integer
from simdiff.theory.denoising.fixed_point import System
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs, feature_system
from simdiff.theory.denoising.spectral_boundary import boundary
from simdiff.theory.denoising.spectral_edges import REACH, Support, support
from simdiff.theory.protocols import Described

NEGLIGIBLE = 1e-12
"""Excess below this fraction of a feature's variance, and weights of atoms below it, count as zero."""

ALARM = 1e-6
"""Mass whose absence is reported."""

NARROWEST = 1e-18
"""psi_p / (psi_n m) below which m counts as infinite: s2 would spread by its root, relatively."""

FEWEST_ATOMS = 4
"""Shorter spectra of the data are padded to this: they share a compilation."""

FEWEST = 8
"""Grid points on one interval."""


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """The law of the eigenvalues of U: a density on intervals, and atoms. `spectrum` makes it.

    Attributes:
        edges: (k, 2), the intervals [low, high] of the support in increasing order, without atoms.
        masses: (k,), the fraction of eigenvalues in each interval.
        atoms: (position, weight) pairs.
    """

    edges: np.ndarray
    masses: np.ndarray
    atoms: tuple[tuple[float, float], ...]
    _system: System = dataclasses.field(repr=False)
    _shift: float = dataclasses.field(repr=False)
    _support: Support = dataclasses.field(repr=False)

    def density(self, x: Any) -> np.ndarray:
        """Density at x, any shape; zero outside the intervals, without the atoms.

        A point not solved (none is known) is nan, with a `ConvergenceWarning`.
        """
        return self._density(np.asarray(x, dtype=np.float64) - self._shift)

    def cdf(self, x: Any) -> np.ndarray:
        """Fraction of eigenvalues <= x, atoms included, any shape. Exact: no density is integrated."""
        place = np.asarray(x, dtype=np.float64) - self._shift
        steps = np.concatenate([[self._atom], self._atom + np.cumsum(self.masses)])
        flat = place.ravel()
        result = steps[np.searchsorted(self._support.edges[:, 1], flat, side="right")] * (flat >= 0.0)
        inside = self._inside(flat)
        if inside.any():
            result[inside] = boundary(self._system, flat[inside], self._support.far).below
        return result.reshape(place.shape)

    def density_on_grid(self, points: int = 400, log: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Places x and the density there, for drawing: dense at edges and where the eigenvalues are.

        Places serve a linear and a logarithmic axis alike. With `log` the density is that of log x (base
        e), x rho(x), whose area over a logarithmic axis is the mass. Each interval gets an equal share
        of the points, 8 at least, and the arrays may end up a little shorter.
        """
        count = max(FEWEST, check_integer("points", points, least=1) // max(1, len(self.edges)))
        nodes = [self._nodes(k, count) for k in range(len(self.edges))]
        place = np.concatenate([n[1] for n in nodes] or [np.zeros(0)])
        x, density = place + self._shift, self._density(place)
        apart = np.diff(x, prepend=-1.0) > 0  # next to a hard edge at s2 rounding merges some
        return x[apart], (density * x if log else density)[apart]

    def moment(self, order: int) -> float:
        """Mean of (eigenvalue)^order by quadrature of the density, plus the atoms."""
        from scipy.interpolate import CubicSpline

        values = sum(weight * position**order for position, weight in self.atoms)
        for theta, place, slope, density in self._quadrature:
            spline = CubicSpline(theta, density * slope * (place + self._shift) ** order)
            values += float(spline.integrate(theta[0], theta[-1]))
        return float(values)

    @property
    def mass(self) -> float:
        """Integral of the density plus the weights of the atoms: 1 but for the error of the quadrature."""
        return self.moment(0)

    @property
    def time_scales(self) -> np.ndarray:
        """(k, 2): the times 1/high and 1/low at which gradient flow starts and ends learning an interval.

        In the time unit of dB/dtau = -(B U + V^T); the last interval is learned first. inf at a hard edge.
        """
        with np.errstate(divide="ignore"):
            return 1.0 / self.edges[:, ::-1]

    @property
    def _atom(self) -> float:
        return sum(weight for _, weight in self.atoms)

    @functools.cached_property
    def _quadrature(self) -> list[tuple[np.ndarray, ...]]:
        """For every interval: theta, x, dx / dtheta, density."""
        nodes = [self._nodes(k, max(100, 400 // len(self.edges))) for k in range(len(self.edges))]
        density = self._density(np.concatenate([n[1] for n in nodes] or [np.zeros(0)]))
        return [(*n, d) for n, d in zip(nodes, np.split(density, len(nodes) or 1), strict=False)]

    def _inside(self, place: np.ndarray) -> np.ndarray:
        low, high = self._support.edges.T
        return np.any((place[..., None] > low) & (place[..., None] < high), axis=-1)

    def _density(self, place: np.ndarray) -> np.ndarray:
        result = np.zeros(place.shape)
        inside = self._inside(place)
        if not inside.any():
            return result
        at = place[inside]
        found = boundary(self._system, at, self._support.far)
        with np.errstate(divide="ignore"):
            near = np.abs(np.log(at[:, None] / self._support.edges.ravel())).min(axis=1) < 1e-8
        solved = found.certain | near
        if not solved.all():
            x = at[~solved][0] + self._shift
            warnings.warn(f"the density at x = {x:.6g} was not found: it is nan", ConvergenceWarning, 3)
        rho = np.maximum(found.gamma.imag, 0.0) / (np.pi * self._system.psi_p)
        result[inside] = np.where(solved, rho, np.nan)
        return result

    def _nodes(self, k: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """theta, x and dx / dtheta at places that share three things evenly in interval k.

        They are theta, where log x = log low + (log high - log low) sin^2 theta makes smooth what vanishes
        like a root at the edges; the mass; and the ups and downs of x rho(x), which dips where intervals
        have just merged.
        """
        scan, (low, high) = self._support.scan, self._support.edges[k]
        start = np.log(low if low > 0 else max(REACH * self._support.far, 1e-15 * self._shift))
        length = np.log(high) - start
        own = (scan.y > start) & (scan.y < start + length)
        theta = np.concatenate([[0], np.arcsin(np.sqrt((scan.y[own] - start) / length)), [0.5 * np.pi]])
        first, last = self._support.below[k]
        mass = np.concatenate([[first], np.clip(scan.below[own], first, last), [last]])
        swing = np.concatenate([[0], np.cumsum(np.abs(np.diff(scan.level[own], prepend=0, append=0)))])
        shared = theta / (0.5 * np.pi) + (mass - first) / (last - first) + swing / max(swing[-1], 1e-300)
        even = np.interp(np.linspace(0.0, 3.0, count), shared, theta)
        x = np.exp(start + length * np.sin(even) ** 2)
        x[-1], x[0] = high, low or x[0]
        return even, x, x * length * np.sin(2.0 * even)


def spectrum(problem: Described) -> Spectrum:
    """The limiting law of the eigenvalues of U for a problem, whatever its trainer.

    Raises:
        InputError: data without `spectrum()`, or of non-zero mean; a model without `psi_p` and
            `activation`; a value outside its range.
    """
    setting = inputs_of(problem, 0.0)
    fine = getattr(problem.data, "fine_spectrum", None)
    if callable(fine):
        values, weights = fine()
        setting = setting._replace(eigenvalues=values, weights=weights)
    return spectrum_of(setting)


def spectrum_of(setting: TheoryInputs) -> Spectrum:
    """The same from the theory's inputs; their ridge is not used.

    Eigenvalues that are in none of the intervals found (a failure never seen) are reported by a
    `ConvergenceWarning`: how many there must be is known without a quadrature.
    """
    system, shift = _shifted(setting)
    weight = 1.0 - _rank(system) / float(system.psi_p)
    atoms = ((shift, weight),) if weight > NEGLIGIBLE else ()
    found = support(system, max(weight, 0.0))
    masses = found.below[:, 1] - found.below[:, 0]
    missing = 1.0 - max(weight, 0.0) - masses.sum()
    if not abs(missing) < ALARM:
        message = f"intervals and atoms of the spectrum leave out {missing:.2g} of the eigenvalues"
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return Spectrum(found.edges + shift, masses, atoms, system, shift, found)


def _shifted(setting: TheoryInputs) -> tuple[System, float]:
    """The system of U - shift, where shift is s2 at m = infinity and 0 else; spectra are padded to 4^k."""
    fields: Any = [np.asarray(field, dtype=np.float64) for field in feature_system(setting)]
    system: Any = System(*fields)
    linear = system.weights @ (system.s1 + system.s2)
    least = NEGLIGIBLE * (system.b1 + system.b2 + linear)
    size = FEWEST_ATOMS
    while size < system.weights.size:
        size *= 4
    pad = (0, size - system.weights.size)
    b1, b2 = (np.where(b > least, b, 0.0) for b in (system.b1, system.b2))
    i = np.where(system.i * system.psi_p > NARROWEST * system.psi_n, system.i, 0.0)
    shift = np.where(i == 0, b2, 0.0)
    changed = system._replace(
        i=i,
        ridge=np.zeros(()),
        s1=np.pad(system.s1 * (linear > least), pad),
        s2=np.pad(system.s2 * (linear > least), pad),
        b1=b1,
        b2=b2 - shift,
        weights=np.pad(system.weights, pad),
    )
    return changed, float(shift)


def _rank(system: System) -> float:
    """Rank of U - shift, per d, were p unlimited: rows with an excess count, the others span d directions."""
    n, i = float(system.psi_n), float(system.i)
    rest = n * (1.0 / i - 1.0) if i > 0 else np.inf
    excess = (n if system.b1 > 0 else 0.0) + (rest if system.b2 > 0 else 0.0)
    plain = (0.0 if system.b1 > 0 else n) + (0.0 if system.b2 > 0 else rest)
    return excess + (min(1.0, plain) if np.max(system.s2) > 0 else 0.0)
