"""Sample complexity: the smallest psi_n at which a metric of the theory falls to a threshold.

At a fixed ridge a metric is no monotone function of psi_n (test and score errors peak at p = n m), and
at the best ridge it need not be one either: with isotropic data and m = inf the best ridge does better
with almost no samples than with a few. So the whole range of psi_n is looked at first, on a logarithmic
grid in one batched call of the theory, and the first crossing found there is refined by root finding. A
value the theory could not compute (nan) counts as not reached, and is said.

notation:
    profile(psi_n)    the metric at the given ridge, or its least value over all ridges
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np

from simdiff.analysis.best_ridge import (
    Point,
    is_end,
    only,
    places_of_least,
    ridge_grid,
    tune,
    window,
    zoom,
)
from simdiff.analysis.theory_curve import Curve, TheorySpec, make_curve
from simdiff.errors import InputError, check_number
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem

_FINE = 1024
"""Values of psi_n looked at for a given ridge: 1.1% apart on the default range."""

_PER_DECADE, _RIDGES_PER_DECADE = 8, 2
"""The grid for the best ridge; at the best ridge a metric has no sharp features in psi_n."""

_FAR = 1e6
"""The limit of many samples is shown by the value this many times beyond the range of psi_n."""


@dataclasses.dataclass(frozen=True)
class SampleComplexity:
    """The smallest psi_n in the range whose metric is at or below the threshold.

    psi_n: nan unless `reachable`. ridge, value: the ridge used and the metric at psi_n, nan likewise.
    reachable: True, False, or None where it cannot be told because the theory is nan.
    bound: psi_n is an upper bound only, for the reason given. stays: whether the metric is at or below
    the threshold at all larger psi_n of the grid too. reason: why there is no psi_n, or what must be
    known about it; else empty.
    """

    psi_n: float
    ridge: float
    value: float
    reachable: bool | None
    bound: bool
    stays: bool
    reason: str


@with_pinned_settings
def sample_complexity(
    problem: Problem,
    metric: str = "score",
    threshold: float = 0.1,
    ridge: str | float = "best",
    theory: TheorySpec = None,
    psi_n_range: tuple[float, float] = (1e-2, 1e3),
) -> SampleComplexity:
    """The smallest psi_n with metric <= threshold, by root finding on the theory; nothing is simulated.

    This is the first crossing: beyond it the metric may rise above the threshold again, which `stays`
    tells. Dips below the threshold that are narrower than the grid (1.1% of psi_n on the default range
    at a given ridge, a factor 1.33 at the best) are not seen. psi_n is accurate to 1e-5 of its value.

    Args:
        problem: its own psi_n does not matter.
        metric: any metric of the theory. For `train`, which falls as psi_n does, the answer is the lower
            end of the range.
        threshold: a finite number > 0.
        ridge: "best", tuned between 1e-8 and 1e4 at every psi_n; "given", the problem's own; or a number.
        theory: as in `simdiff.predict`.
        psi_n_range: where psi_n is sought.

    Raises:
        InputError: a problem without psi_n or `trainer.ridge` or with a time axis, no such metric, or a
            threshold or ridge that is not allowed, or an invalid range.
    """
    curve, level, fixed = check_arguments(problem, metric, threshold, ridge, theory)
    low, high = _check_range(psi_n_range)
    profile = _Tuned(curve, low, high) if fixed is None else _Fixed(curve, low, high, fixed)
    return _search(profile, level)


def check_arguments(
    problem: Any, metric: Any, threshold: Any, ridge: Any, theory: TheorySpec
) -> tuple[Curve, float, float | None]:
    """Check what `sample_complexity` takes: (the metric's curve, the threshold, the ridge or None)."""
    curve = make_curve(problem, metric, theory)
    level = check_number("threshold", threshold, above=0)
    if not isinstance(ridge, str):
        return curve, level, check_number("ridge", ridge, above=0)
    if ridge not in ("best", "given"):
        raise InputError("ridge", ridge, '"best", "given" or a number > 0')
    return curve, level, None if ridge == "best" else check_number("ridge", problem.trainer.ridge, above=0)


def _check_range(span: Any) -> tuple[float, float]:
    try:
        low, high = (check_number("psi_n_range", end, above=0) for end in span)
    except (TypeError, ValueError) as error:
        raise InputError("psi_n_range", span, "two finite numbers, 0 < low < high") from error
    if not low < high:
        raise InputError("psi_n_range", span, "two finite numbers, 0 < low < high")
    return low, high


@runtime_checkable
class _Profile(Protocol):
    """The metric over psi_n: `values` on the grid `psi_n`, `unknown` where the theory was nan."""

    psi_n: np.ndarray
    values: np.ndarray
    unknown: np.ndarray
    ridges: str

    def point(self, psi_n: float) -> Point:
        """The profile inside the grid."""

    def limit(self, psi_n: float) -> Point:
        """The profile anywhere."""


class _Fixed:
    """The metric at one ridge."""

    def __init__(self, curve: Curve, low: float, high: float, ridge: float) -> None:
        self.curve, self.ridge, self.ridges = curve, ridge, f"at ridge {ridge:.3g}"
        self.psi_n = np.geomspace(low, high, _FINE)
        self.values = curve.at(self.psi_n, ridge)
        self.unknown = np.isnan(self.values)

    def point(self, psi_n: float) -> Point:
        return Point(self.ridge, float(self.curve.at(psi_n, self.ridge)))

    limit = point


class _Tuned:
    """The metric at the best ridge for each psi_n."""

    ridges = "at the best ridge"

    def __init__(self, curve: Curve, low: float, high: float) -> None:
        self.curve = curve
        self.psi_n = np.geomspace(low, high, max(2, round(_PER_DECADE * math.log10(high / low))))
        self.grid = ridge_grid(_RIDGES_PER_DECADE)
        table = curve.at(self.psi_n[:, None], self.grid)
        self.unknown = np.isnan(table).any(axis=1)
        self.best = places_of_least(table)
        _, self.values = zoom(curve, self.psi_n, *window(self.grid, self.best, self.best))

    def point(self, psi_n: float) -> Point:
        """Zoom in around the best ridges of the two values of the grid next to psi_n."""
        row = int(np.clip(np.searchsorted(self.psi_n, psi_n), 1, self.psi_n.size - 1))
        near = self.best[row - 1 : row + 1]
        return only(zoom(self.curve, psi_n, *window(self.grid, near.min(), near.max())))

    def limit(self, psi_n: float) -> Point:
        return tune(self.curve, psi_n)


def _search(profile: _Profile, level: float) -> SampleComplexity:
    reached = np.flatnonzero(profile.values <= level)
    if not reached.size:
        return _not_reached(profile, level)
    row = int(reached[0])
    psi_n, point = _refine(profile, level, row)
    why = _why_bound(profile, level, row, point)
    stays = bool(np.all(profile.values[row:] <= level))
    at_end = isinstance(profile, _Tuned) and is_end(point.ridge)
    end = f"the best ridge is at the end of those searched, {point.ridge:.3g}" if at_end else ""
    return SampleComplexity(psi_n, *point, True, bool(why), stays, "; ".join(filter(None, [why, end])))


def _refine(profile: _Profile, level: float, row: int) -> tuple[float, Point]:
    """The crossing between this row of the grid and the one before, if there is one before."""
    from scipy.optimize import brentq

    low, high = (float(v) for v in profile.psi_n[[max(row - 1, 0), row]])

    def excess(log_psi_n: float) -> float:
        value = profile.point(math.exp(log_psi_n)).value
        return level if math.isnan(value) else value - level

    a, b, psi_n = math.log(low), math.log(high), high
    if row > 0 and excess(a) <= 0:  # the crossing is at `low`, where the grid's own zoom was a rounding off
        psi_n = low
    elif row > 0 and excess(b) <= 0:
        psi_n = math.exp(brentq(excess, a, b, xtol=1e-8, rtol=1e-8))
    return psi_n, profile.point(psi_n)


def _why_bound(profile: _Profile, level: float, row: int, point: Point) -> str:
    """Why a smaller psi_n might do as well; empty where it cannot."""
    if row == 0:
        return f"already reached at the smallest psi_n looked at, {profile.psi_n[0]:.4g}"
    if profile.unknown[: row + 1].any():
        return "an upper bound: at some smaller psi_n, or at some ridges there, the theory is nan"
    if not abs(point.value - level) < 1e-4 * level:
        return "an upper bound: just below this psi_n the metric jumps or is nan"
    return ""


def _not_reached(profile: _Profile, level: float) -> SampleComplexity:
    low, high = profile.psi_n[[0, -1]]
    if profile.unknown.any():
        share = f"{int(profile.unknown.sum())} of the {profile.psi_n.size} psi_n looked at"
        reason = f"cannot be told: the theory is nan at {share}, and nowhere else is the threshold reached"
        return SampleComplexity(math.nan, math.nan, math.nan, None, False, False, reason)
    at = float(profile.psi_n[profile.values.argmin()])
    least, beyond = profile.point(at), profile.limit(_FAR * high)
    reason = (
        f"not reachable: for psi_n from {low:.4g} to {high:.4g} the least value {profile.ridges} is "
        f"{least.value:.4g}, at psi_n = {at:.4g} and ridge {least.ridge:.3g}; "
    )
    reason += _beyond(beyond.value, level, _FAR * high)
    return SampleComplexity(math.nan, math.nan, math.nan, False, False, False, reason)


def _beyond(value: float, level: float, psi_n: float) -> str:
    """What many more samples would do."""
    if math.isnan(value):
        return "what more samples do is not known"
    if value <= level:
        return f"more samples reach it: at psi_n = {psi_n:.0e} it is {value:.4g}"
    return f"more samples do not reach it either: at psi_n = {psi_n:.0e} it is {value:.4g}"
