"""Where a contour around the spectrum of the features' Gram matrix U may run, at one point of the theory."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.denoising.pair_response import solve_nodes
from simdiff.theory.numerics.contour import GROWTH, Region

EDGE_GRID = 258
"""Points a round of the search for the largest eigenvalue."""


def region_of(setting: TheoryInputs, longest: float, step: float = 0.0) -> Region:
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


def eigenvalue_bound(setting: TheoryInputs) -> float:
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


def feature_variance(setting: TheoryInputs) -> float:
    """(1/p) tr U: the mean eigenvalue."""
    variance = float(setting.a2) * float(setting.weights @ setting.eigenvalues) + float(setting.h)
    return float(setting.mu1) ** 2 * variance + float(setting.v2) + float(setting.s2)


def largest_eigenvalue(setting: TheoryInputs) -> float:
    """Where the spectrum of U ends, to about 1e-7, approached from above.

    The last place, on ever finer grids, with an imaginary part of gamma. A bulk at the top that is
    narrower than 0.5% of its place may be missed; the mass that the contour encloses then tells.
    """
    traced = TheoryInputs(*(jnp.asarray(field, dtype=jnp.float64) for field in setting))
    low, high = feature_variance(setting), eigenvalue_bound(setting)
    for _ in range(3):
        grid = np.geomspace(low, high, EDGE_GRID)
        nodes = solve_nodes(traced, jnp.asarray(grid))
        lifted = jnp.abs(nodes.gamma.imag) > 1e-7 * jnp.abs(nodes.gamma)
        inside = np.flatnonzero(lifted | ~nodes.converged)
        last = min(inside[-1], EDGE_GRID - 2) if inside.size else 0
        low, high = grid[last], grid[last + 1]
    return float(high)
