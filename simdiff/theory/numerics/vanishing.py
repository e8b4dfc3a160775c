"""Train errors of flow and descent to full relative accuracy, also where training makes them small.

    train = (1/2 pi i) oint psi(z)^2 Q(z) dz / z,      Q(z): the minimised loss at ridge -z

around the non-zero eigenvalues of U. Where the contour goes around zero, as it may always do, psi is of
order 1 on its left. With fewer training pairs than features the train error dies away like e^{-2 tau x},
x the smallest eigenvalue plus the ridge, and is then lost in rounding as a sum of terms that cancel.
But then nothing is at zero, and the contour may pass between zero and the spectrum, so near to the first
eigenvalue that no term is much larger than the sum before e^{-2 tau x} is zero in float64. That eigenvalue is
where contours moved right cease to hold them all; how many a contour holds is an integral, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.numerics.contour import GROWTH, Contour, Region, contour_in
from simdiff.theory.numerics.filters import training_filter

ENOUGH, ALARM = 1e-7, 1e-6
"""Estimated relative error of a number that is taken as it is, and of one that is not to be used."""

ROUNDING = 1e-15
"""Relative error of a term."""

FINE = 0.01
"""Relative accuracy of the smallest eigenvalue, and distance of contours from it. Terms exceed the sum by
e^{2 FINE tau x}, 3,000 where the sum is e^{-800}."""

HELD = 1e-7
"""Share of the eigenvalues that a contour may seem to lose."""

INTERVALS = (128, 256, 512)

PerPart = Float[np.ndarray, "g t"]


class Training(NamedTuple):
    """What training to the given times is: `times` ascend; `step` is 0 for a flow."""

    times: Float[np.ndarray, " t"]
    ridge: float
    step: float


class Estimate(NamedTuple):
    """Numbers, and estimates of their relative errors."""

    value: PerPart
    error: PerPart


Probe = Callable[[Complex[np.ndarray, " k"]], tuple[Complex[np.ndarray, "k g"], Complex[np.ndarray, " k"]]]
"""At nodes z: Q(z) averaged over each part, and (1/p) tr (U - z)^{-1}."""


def train_errors(contour: Contour, loss: Complex[np.ndarray, "k g"], training: Training) -> Estimate:
    """By one contour, with an error from rules of a half and a quarter of its nodes and from rounding."""
    rules = [_sum(contour.thinned(stride), loss[::stride], training) for stride in (1, 2, 4)]
    (fine, size), (half, _), (quarter, _) = rules
    value = np.maximum(np.abs(fine), np.finfo(float).tiny)
    first, second = np.abs(quarter - half) / value, np.abs(half - fine) / value
    rounding = ROUNDING * size / value
    return Estimate(fine, rounding + second * np.minimum(1.0, second / (first + rounding + 1e-300)))


def _sum(contour: Contour, loss: Complex[np.ndarray, "k g"], training: Training) -> tuple[PerPart, PerPart]:
    """The integral, and the sum of its terms' sizes."""
    made = training_filter(contour.nodes, *training)
    terms = made.residual**2 * contour.measure / contour.nodes
    return 2.0 * np.real(terms @ loss).T, 2.0 * (np.abs(terms) @ np.abs(loss)).T


def refined_train_errors(
    outer: Estimate, probe: Probe, held: float, region: Region, training: Training
) -> Estimate:
    """The train errors: from `outer`, by a contour around zero, where it knows them; else by one in the gap.

    nan where neither knows them.

    Args:
        outer: by a contour in `region`.
        probe: what a contour needs.
        held: the share of the eigenvalues of U that are not zero if there are no more pairs than features
            and no feature is superfluous; more than 1 where there are more pairs, and hence no gap.
        region: where the contour around zero runs.
        training: to which times.
    """
    best = outer
    for intervals in INTERVALS[1:]:
        if (best.error > ENOUGH).any():
            contour = contour_in(region, intervals)
            best = _better(best, train_errors(contour, probe(contour.nodes)[0], training))
    if held < 1.0 and (best.error > ENOUGH).any():
        best = _better(best, _in_gap(probe, held, region, training))
    return best._replace(value=np.where(best.error < ALARM, best.value, math.nan))


def _better(old: Estimate, new: Estimate) -> Estimate:
    take = new.error < old.error
    return Estimate(np.where(take, new.value, old.value), np.where(take, new.error, old.error))


def _in_gap(probe: Probe, held: float, region: Region, training: Training) -> Estimate:
    """By a contour that begins a hundredth before the first eigenvalue: near enough for all times."""
    first = _first_eigenvalue(probe, held, region, training)
    if first == 0.0:
        unknown = np.full((probe(np.ones(1, complex))[0].shape[1], training.times.size), math.inf)
        return Estimate(unknown, unknown)
    for intervals in INTERVALS:
        contour = contour_in(_moved(region, first, training), intervals)
        loss, trace = probe(contour.nodes)
        found = train_errors(contour, loss, training)
        if not (found.error > ENOUGH).any():
            break
    sound = _holds(contour, trace, held)
    return found if sound else Estimate(found.value, found.error + math.inf)


def _first_eigenvalue(probe: Probe, held: float, region: Region, training: Training) -> float:
    """The smallest eigenvalue but for a share FINE, from below; 0.0 where no gap matters to the times."""
    low, high = GROWTH / float(training.times[-1]), region.high - region.offset

    def clear(place: float) -> bool:
        moved = _moved(region, place, training)
        first, last = moved.segment()
        contour = contour_in(moved, next((k for k in INTERVALS if k >= 6.0 * (last - first)), INTERVALS[-1]))
        return _holds(contour, probe(contour.nodes)[1], held)

    if low >= high or not clear(low):
        return 0.0
    while high > (1.0 + FINE) * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if clear(middle) else (low, middle)
    return low


def _moved(region: Region, place: float, training: Training) -> Region:
    """The region moved right: it begins at z = place, from where the spectrum is FINE of that away."""
    shift = FINE * place
    high, end = region.high - region.offset, region.reach - region.offset
    if training.step > 0.0:
        mirror = 2.0 / training.step - 2.0 * training.ridge - place  # as small a factor as on the left
        end = mirror if mirror > 1.05 * high else end
    return Region(-place, shift, max(high - place, 2.0 * shift), end - place)


def _holds(contour: Contour, trace: Complex[np.ndarray, " k"], held: float) -> bool:
    number = -2.0 * np.sum(contour.measure * trace).real
    return bool(abs(number / held - 1.0) < HELD)
