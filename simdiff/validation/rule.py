"""The acceptance rule: everything that decides a verdict, fixed before the first trial."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from simdiff.errors import InputError, check_choice, check_integer, check_number

CONFIDENCE = 0.95
"""Level of the confidence interval whose half width `precision` bounds."""

NEGLIGIBLE = 0.02
"""Differences below this fraction of the asked half width are never evidence against a theory."""

CORRECTIONS = ("holm", "none")

_TINY = 1e-4
_DEFAULT_PRECISION = 0.005


@dataclasses.dataclass(frozen=True)
class Rule:
    """How precise a limit must be, when a theory is rejected, and how many trials may be spent.

    precision: asked half width of the limit's 95% confidence interval, relative to |theory| (to |estimate|
        where there is no theory).
    alpha: a theory is rejected where its adjusted p-value is smaller.
    sizes: the sizes d, two or more; three or more for a fit with a c2/d^2 term.
    extrapolate: whether to test the limit; False tests every point at one size, that of its data, and
        `sizes` are those that occur.
    tiny: half width that is always enough, for values near zero; by default 1e-4 at precision 0.005 and
        in proportion otherwise.
    order: None (2 for three or more sizes, else 1), 1 or 2; see `finite_size`.
    min_trials: trials at each size in the pilot stage, before the first standard error is looked at.
    max_trials: trials at each size at most.
    batch: trials are added in multiples of this.
    budget: most that all trials of a point may cost, in the unit of the costs given to `next_trials`.
        The pilot stage is run whatever it costs.
    correction: "holm" over every metric, time and point judged together, or "none".
    """

    precision: float = _DEFAULT_PRECISION
    alpha: float = 0.05
    sizes: tuple[int, ...] = (100, 200, 400)
    tiny: float | None = None
    order: int | None = None
    min_trials: int = 12
    max_trials: int = 256
    batch: int = 4
    budget: float | None = None
    correction: str = "holm"
    extrapolate: bool = True

    def __post_init__(self) -> None:
        check_number("precision", self.precision, above=0, most=1)
        alpha = check_number("alpha", self.alpha, above=0)
        if alpha >= 1:
            raise InputError("alpha", self.alpha, "a number between 0 and 1")
        object.__setattr__(self, "sizes", _check_sizes(self.sizes, 2 if self.extrapolate else 1))
        if self.tiny is not None:
            check_number("tiny", self.tiny, above=0)
        if self.order not in (None, 1, 2) or (self.order == 2 and len(self.sizes) < 3):
            raise InputError("order", self.order, "1, 2 (with three or more sizes) or None")
        check_integer("min_trials", self.min_trials, least=4)
        check_integer("max_trials", self.max_trials, least=self.min_trials)
        check_integer("batch", self.batch, least=1)
        if self.budget is not None:
            check_number("budget", self.budget, above=0)
        check_choice("correction", self.correction, CORRECTIONS)

    def target(self, scale: float) -> float:
        """Return the asked half width for a value of magnitude |scale|."""
        tiny = _TINY * (self.precision / _DEFAULT_PRECISION) if self.tiny is None else self.tiny
        relative = self.precision * abs(scale)
        return max(relative, tiny) if math.isfinite(relative) else tiny

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain values and one sentence: store it before the run."""
        return {**dataclasses.asdict(self), "sizes": list(self.sizes), "text": str(self)}

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        family = (
            "Holm-adjusted over all metrics, times and points" if self.correction == "holm" else "unadjusted"
        )
        subject = f"Limit d -> infinity from sizes {sizes}"
        if not self.extrapolate:
            subject = (
                f"At d = {sizes}, the one size of the data, without extrapolation (a theory of the limit "
                f"alone is off there by terms of order 1/d)"
            )
        return (
            f"{subject}; a theory is rejected at p < {self.alpha:g} ({family}); "
            f"accepted if not rejected and the half width of its {CONFIDENCE:.0%} confidence interval is "
            f"at most {self.precision:.2%} of theory (or {self.target(0.0):.1e}); otherwise inconclusive. "
            f"{self.min_trials} to {self.max_trials} trials a size, added until the standard errors suffice."
        )


def _check_sizes(sizes: Any, least: int) -> tuple[int, ...]:
    """Sizes as increasing ints, `least` or more and all different."""
    allowed = "two or more different positive integers, e.g. (100, 200, 400)"
    try:
        values = sorted(check_integer("sizes", d, least=1) for d in sizes)
    except TypeError:
        raise InputError("sizes", sizes, allowed) from None
    if len(values) < least or len(set(values)) < len(values):
        raise InputError("sizes", sizes, allowed, "the limit needs several sizes to extrapolate from")
    return tuple(values)
