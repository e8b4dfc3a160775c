"""How far two models' samples of the same noise are apart along every eigenvector of Sigma.

With phi = F(Sigma_hat)^{1/2} and D its mean over training sets (`overlap`),

    spread_k = E |(phi_1 - phi_2) z|_k^2 = 2 (E F_kk - (D^2)_kk)

whose average over k is the metric `spread`. On Gaussian data D is diagonal; on points it need not be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.linear_chain.linear_sampling import (
    TIGHTER,
    Around,
    Table,
    first_contour,
    logarithm,
    maps_exactly,
)
from simdiff.theory.linear_chain.one_point import Rule, SpectralLaw, rule
from simdiff.theory.linear_chain.overlap import exact_map
from simdiff.theory.protocols import Chain

PerMode = Float[np.ndarray, "t s"]

COUNTS, ACCURACY = (64, 128, 256, 512), 1e-6


class Modes(NamedTuple):
    """A law of training sets: a rule for E g_kk of every k, and (D^2)_kk, by a rule or where F(x) = x."""

    eigenvalues: Float[np.ndarray, " s"]
    rule: Callable[[Around, int], Rule]
    square: Callable[[Rule, Around, int, Table], PerMode]
    exact: Callable[[], PerMode]
    counts: tuple[int, ...] = COUNTS
    accuracy: float = ACCURACY


def mode_spread(problem: Chain, modes: Modes) -> PerMode:
    """spread_k at every training time (one row without); nan where no two contours agree."""
    if maps_exactly(problem):
        return 2.0 * (modes.eigenvalues - modes.exact())
    around = first_contour(problem)
    for _ in range(TIGHTER):
        found = _converged(problem, modes, around)
        if found is not None:
            return found
        around = Around(0.25 * around.offset, 0.5 * around.width)
    return np.full((len(problem.times or (0,)), modes.eigenvalues.size), np.nan)


def _converged(problem: Chain, modes: Modes, around: Around) -> PerMode | None:
    before = np.array(np.nan)
    for count in modes.counts:
        value, turns = _by_rule(problem, modes, around, count)
        if np.max(np.abs(value - before)) < modes.accuracy * np.max(np.abs(value)):
            return value if turns == 0 else None
        before = value
    return None


def _by_rule(problem: Chain, modes: Modes, around: Around, count: int) -> tuple[PerMode, int]:
    quadrature = modes.rule(around, count)
    variance = problem.spectral_functions(quadrature.nodes).variance
    log, turns = logarithm(variance)
    square = modes.square(quadrature, around, count, np.exp(0.5 * log))
    return 2.0 * (np.real(variance @ quadrature.weights.T) - square), turns


def gaussian_modes(law: SpectralLaw) -> Modes:
    """Of Gaussian data: a limit, or the mean at size d up to 1/d^2 if the law has a size."""
    along = np.diag(1.0 / law.weights)

    def of_rule(around: Around, count: int) -> Rule:
        return rule(law, along, *around, count)

    def square(quadrature: Rule, around: Around, count: int, root: Table) -> PerMode:
        return np.real(root @ quadrature.weights.T) ** 2

    return Modes(law.eigenvalues, of_rule, square, lambda: exact_map(law)[None] ** 2)
