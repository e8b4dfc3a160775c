"""Linear denoisers in training time: gradient flow and descent from zero, at any number of noise draws.

Training to time tau makes B = -V^T phi(U) (`filters`), a superposition of ridge solutions along a contour
around the spectrum of U (`contour`), with weights w_j. Errors follow from those of pairs of solutions
(`linear_denoiser_response`), and on training pairs from the minimised loss Q(z) at ridge -z alone:

    b = sum_j w_j b_j
    test         = <floor + (b - b*)^2 (a^2 s + h) / h> + sum_jl w_j w_l <test excess>_jl
    memorization = <(1 - b)^2>                          + sum_jl w_j w_l <memorization excess>_jl
    train        = (1/2 pi i) oint psi(z)^2 Q(z) dz / z,     Q = k <(ridge + k_1 P) / L> at ridge -z
    objective    = train + ridge |B|^2 / d,  |B|^2 / d = (1/2 pi i) oint phi(z)^2 Q(z) dz

The number of nodes is doubled until the errors stay.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from simdiff.errors import InputError
from simdiff.theory.denoising.contour_region import EDGE_GRID
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.denoising.pair_response import moments
from simdiff.theory.linear_denoiser.fixed_point import Rows, Solution, rows_of, solve
from simdiff.theory.linear_denoiser.response import Side, memorization_excess, response, side, test_excess
from simdiff.theory.numerics.contour import GROWTH, Contour, Region, contour_in
from simdiff.theory.numerics.filters import training_filter
from simdiff.theory.numerics.vanishing import Training, refined_train_errors, train_errors

INTERVALS = (32, 64, 128, 256, 512)
"""Numbers of intervals on the upper half of the contour, tried in turn."""

TOLERANCE = 1e-6
"""Change of an error, relative to 1 + its value, at which no more nodes are added. With every doubling
changes are squared, up to constants."""

PerTime = Float[np.ndarray, " t"]
PerPart = Float[np.ndarray, "g t"]


class LinearFlow(NamedTuple):
    """Errors at every time (columns), averaged over the eigen-directions of each part (rows).

    `converged` is False where the numbers must not be used: a fixed point was not found, the contour does
    not hold the whole spectrum, or the errors change by more than `TOLERANCE` with the most nodes.
    """

    test: PerPart
    train: PerPart
    score: PerPart
    memorization: PerPart
    objective: PerPart
    converged: bool


def linear_flow(
    setting: TheoryInputs, times: PerTime, step: float, parts: Float[np.ndarray, "g s"]
) -> LinearFlow:
    """Errors of training from zero at `setting.ridge` >= 0, at positive times in ascending order.

    Args:
        setting: its psi_p, mu1, v2 and s2 are not used.
        times: tau, in the unit of dB/dtau = -(B (U + ridge) + V^T).
        step: 0 for gradient flow; otherwise descent with this step, and times are whole multiples of it.
        parts: weights of eigen-directions, one row a part.

    Raises:
        InputError: times that are no multiples of the step, or a step at which descent diverges.
    """
    rows, region = rows_of(setting), _region(setting, float(times[-1]), step)
    before: LinearFlow | None = None
    for intervals in INTERVALS:
        contour = contour_in(region, intervals)
        found = _by_rule(setting, rows, contour, times, step, parts)
        if before is not None and not _change(before, found) > TOLERANCE:  # more nodes do not mend a nan
            train = _train_errors(
                setting, rows, region, contour, Training(times, float(setting.ridge), step), parts
            )
            converged = found.converged and _change(before, found) <= TOLERANCE
            return found._replace(train=train, objective=train + found.objective, converged=converged)
        before = found
    return found._replace(converged=False)


def _train_errors(
    setting: TheoryInputs, rows: Rows, region: Region, contour: Contour, training: Training, parts: np.ndarray
) -> PerPart:
    """Train errors at full relative accuracy; nan where they are lost in rounding."""

    def probe(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        solution = solve(rows, -z)
        trace = np.where(solution.converged, solution.inverse @ rows.weights[0], math.nan)
        return _ridge_objective(setting, solution, side(rows, solution)) @ parts.T, trace

    pairs = math.inf if setting.i == 0 else float(setting.psi_n / setting.i)
    outer = train_errors(contour, probe(contour.nodes)[0], training)
    return refined_train_errors(outer, probe, pairs, region, training).value


def _change(before: LinearFlow, after: LinearFlow) -> float:
    pairs = zip(before[:-1], after[:-1], strict=True)
    return float(np.max([np.max(np.abs(old - new) / (1.0 + np.abs(new))) for old, new in pairs]))


def _by_rule(
    setting: TheoryInputs, rows: Rows, contour: Contour, times: PerTime, step: float, parts: np.ndarray
) -> LinearFlow:
    """All errors by one rule; for `objective` what the ridge adds to the train error."""
    z, ridge, h = contour.nodes, float(setting.ridge), float(setting.h)
    solution = solve(rows, -z)
    scalars = side(rows, solution)
    made = training_filter(z, times, ridge, step)
    weight = -made.solution * contour.measure
    b = 2.0 * np.real(weight @ (h * scalars.shrink[:, None] * solution.inverse)).T
    variance = setting.a2 * setting.eigenvalues + h
    gap = (b - (h / variance)[:, None]) ** 2 * (variance / h)[:, None]
    spread, spread_again = _fluctuations(setting, rows, solution, scalars, weight, parts)
    excess = parts @ gap + spread
    loss = _ridge_objective(setting, solution, scalars) @ parts.T
    train = 2.0 * np.real((made.residual**2 * contour.measure / z) @ loss).T
    norm = 2.0 * np.real((made.solution**2 * contour.measure) @ loss).T
    return LinearFlow(
        test=(parts @ (1.0 - h / variance))[:, None] + excess,
        train=train,
        score=excess / h,
        memorization=parts @ (1.0 - b) ** 2 + spread_again,
        objective=ridge * norm,
        converged=bool(solution.converged.all()) and _holds_spectrum(setting, rows, contour, solution),
    )


def _ridge_objective(setting: TheoryInputs, solution: Solution, scalars: Side) -> Complex[np.ndarray, "k s"]:
    """The minimised loss at every node, along every direction."""
    left = solution.ridge[:, None] + solution.k1[:, None] * (setting.a2 * setting.eigenvalues)
    return scalars.shrink[:, None] * left * solution.inverse


def _fluctuations(
    setting: TheoryInputs,
    rows: Rows,
    solution: Solution,
    scalars: Side,
    weight: np.ndarray,
    parts: np.ndarray,
) -> tuple[PerPart, PerPart]:
    """sum_jl w_j w_l <excess>_jl over the whole contour, for test and memorization."""
    signal, inverse = setting.a2 * setting.eigenvalues, solution.inverse
    both = np.concatenate([inverse, inverse.conj()])
    left = Side(*(field[:, None] for field in scalars))
    right = Side(*(np.concatenate([field, field.conj()]) for field in scalars))
    found = response(rows, left, right, np.stack(moments(signal, setting.weights, inverse, both)))
    forms = test_excess(found), memorization_excess(rows, found, left, right)
    totals: list[list[PerTime]] = [[], []]
    for part in parts:
        held = part != 0.0
        powers = moments(signal[held], part[held], inverse[:, held], both[:, held])
        for total, form in zip(totals, forms, strict=True):
            near, far = np.hsplit(sum(c * power for c, power in zip(form, powers, strict=True)), 2)
            products = (weight @ near) * weight + (weight @ far) * weight.conj()
            total.append(2.0 * np.real(products.sum(axis=1)))
    return np.stack(totals[0]), np.stack(totals[1])


def _holds_spectrum(setting: TheoryInputs, rows: Rows, contour: Contour, solution: Solution) -> bool:
    """Whether the contour holds every eigenvalue of U: their number and their sum are known exactly."""
    density = -contour.measure * (solution.inverse @ rows.weights[0])
    number, total = (2.0 * np.sum(density * power).real for power in (1.0, contour.nodes))
    mean = float(setting.a2 * (setting.weights @ setting.eigenvalues) + setting.h)
    return bool(max(abs(number - 1.0), abs(total / mean - 1.0)) < TOLERANCE)


def _region(setting: TheoryInputs, longest: float, step: float) -> Region:
    """Where the contour for times up to `longest` may run, for a flow (step 0) or for descent; see `contour`.

    Raises:
        InputError: a step at which descent diverges.
    """
    ridge, shift = float(setting.ridge), GROWTH / longest
    offset, bound = ridge + shift, _eigenvalue_bound(setting)
    if step == 0.0:
        return Region(offset, offset, bound + offset, math.inf)
    reach = 2.0 / step + 2.0 * shift
    if bound + offset <= 0.75 * reach:
        return Region(offset, offset, bound + offset, reach)
    largest = _largest_eigenvalue(setting, bound)  # the bound is generous: where does it really end?
    if (largest + ridge) * step >= 2.0:
        hint = f"U + ridge has eigenvalues up to {largest + ridge:.6g}: longer steps diverge"
        raise InputError("trainer.step", step, f"a number < {2.0 / (largest + ridge):.6g}", hint)
    return Region(offset, offset, largest + offset + 0.1 * (reach - largest - offset), reach)


def _eigenvalue_bound(setting: TheoryInputs) -> float:
    """A number that no eigenvalue of U exceeds: the sum of such bounds for the two groups of rows."""
    i, psi_n = float(setting.i), float(setting.psi_n)
    noise = float(setting.h)
    first = float(setting.a2) * float(np.max(setting.eigenvalues)) + i * noise
    root = math.sqrt(1.0 - i) + math.sqrt(i / psi_n)
    return first * (1.0 + 1.0 / math.sqrt(psi_n)) ** 2 + noise * root**2


def _largest_eigenvalue(setting: TheoryInputs, bound: float) -> float:
    """Where the spectrum of U ends, from above: the last place with an imaginary part, on finer grids."""
    rows = rows_of(setting)
    low, high = float(setting.a2 * (setting.weights @ setting.eigenvalues) + setting.h), bound
    for _ in range(3):
        grid = np.geomspace(low, high, EDGE_GRID)
        solution = solve(rows, -grid.astype(np.complex128))
        lifted = np.abs((solution.k1 / solution.ridge).imag) > 1e-7 * np.abs(solution.k1 / solution.ridge)
        inside = np.flatnonzero(lifted | ~solution.converged)
        last = min(inside[-1], EDGE_GRID - 2) if inside.size else 0
        low, high = grid[last], grid[last + 1]
    return float(high)
