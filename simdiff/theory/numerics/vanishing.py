"""Train errors of flow and descent to full relative accuracy, also where training makes them small.

    train = (1/2 pi i) oint psi(z)^2 Q(z) dz / z,      Q(z): the minimised loss at ridge -z

around the non-zero eigenvalues of U. Where the contour goes around zero, as it may always do, psi is of
order 1 on its left. With fewer training pairs than features the train error dies away like e^{-2 tau x},
x the smallest eigenvalue plus the ridge, and is then lost in rounding as a sum of terms that cancel.
But then nothing is at zero, and the contour may pass between zero and the spectrum, at a distance of
1 / tau from the first eigenvalue: there no term is much larger than the sum. That eigenvalue is where
contours moved right cease to hold them all; how many a contour holds is an integral, too.
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

GONE = 400.0
"""Beyond this tau x what is left without a ridge is zero in float64."""

FINE = 0.01
"""Relative accuracy of the smallest eigenvalue."""

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
) -> PerPart:
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
    value, error = outer
    if held < 1.0 and (error > ENOUGH).any():
        inner = _in_gap(probe, held, region, training)
        better = inner.error < error
        value, error = np.where(better, inner.value, value), np.where(better, inner.error, error)
    return np.where(error < ALARM, value, math.nan)


def _in_gap(probe: Probe, held: float, region: Region, training: Training) -> Estimate:
    """Every time by a contour of its own, whose distance from the spectrum is 1 / tau."""
    unknown = np.full((probe(np.ones(1, complex))[0].shape[1], 1), math.nan)
    first = _first_eigenvalue(probe, held, region, training)
    found = []
    for k, time in enumerate(training.times):
        shift = GROWTH / min(float(time), GONE / first) if first > 0.0 else math.inf
        known = shift < first
        once = training._replace(times=training.times[k : k + 1])
        moved = _moved(region, first - shift, shift, once) if known else region
        found.append(_by_moved(probe, held, moved, once) if known else Estimate(unknown, unknown + math.inf))
    return Estimate(*(np.hstack(part) for part in zip(*found, strict=True)))


def _by_moved(probe: Probe, held: float, region: Region, training: Training) -> Estimate:
    for intervals in INTERVALS:
        contour = contour_in(region, intervals)
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
        moved = _moved(region, place, FINE * place, training)
        first, last = moved.segment()
        contour = contour_in(moved, next((k for k in INTERVALS if k >= 6.0 * (last - first)), INTERVALS[-1]))
        return _holds(contour, probe(contour.nodes)[1], held)

    if low >= high or not clear(low):
        return 0.0
    while high > (1.0 + FINE) * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if clear(middle) else (low, middle)
    return low


def _moved(region: Region, place: float, shift: float, training: Training) -> Region:
    """The region moved right: it begins at z = place, where the spectrum begins to be `shift` away."""
    high, end = region.high - region.offset, region.reach - region.offset
    if training.step > 0.0:
        mirror = 2.0 / training.step - 2.0 * training.ridge - place  # as small a factor as on the left
        end = mirror if mirror > 1.05 * high else end
    return Region(-place, shift, max(high - place, 2.0 * shift), end - place)


def _holds(contour: Contour, trace: Complex[np.ndarray, " k"], held: float) -> bool:
    number = -2.0 * np.sum(contour.measure * trace).real
    return bool(abs(number / held - 1.0) < HELD)
