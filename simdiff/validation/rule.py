"""The acceptance rule: everything that decides a verdict, fixed before the first trial."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from simdiff.errors import InputError, check_choice, check_integer, check_number
from simdiff.validation.corrections import (
    Corrections,
    check_corrections,
    default_corrections,
    in_words,
    rival,
)

CONFIDENCE = 0.95
"""Level of the confidence interval whose half width `precision` bounds."""

NEGLIGIBLE = 0.02
"""Differences below this fraction of `precision` times the theory are never evidence against it."""

CORRECTIONS = ("holm", "none")

_FEWEST = 4
"""Trials that a variance is taken from."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """How precise a limit must be, when a theory is rejected, and how many trials may be spent.

    precision: asked half width of the limit's 95% confidence interval, relative to |theory| (to |estimate|
        where there is no theory).
    alpha: a theory is rejected where its adjusted p-value is smaller.
    sizes: the sizes d, two or more; more of them than coefficients for a fit that can be tested.
    extrapolate: whether to test the limit; False tests every point at one size, that of its data, and
        `sizes` are those that occur.
    absolute: half width that is always enough, in the metrics' own unit; 0, the default, for none. It is the
    one
        setting that accepts a limit with a larger relative error; a significant difference is never accepted.
    extrapolation: the corrections to the limit that are fitted, exponents x of d^-x or "log d/d"; () for
    none.
        None supposes 1/d and 1/d^2 (1/d for two sizes), and then a rejection must survive the rival exponents
        2/3 and 4/3; see `corrections`.
    min_trials: trials at each size in the pilot stage, before the first standard error is looked at; two
        thirds of them, `pilot`, at sizes above the median, whose trials take most of the time.
    max_trials: trials at each size at most.
    batch: trials are added in multiples of this.
    budget: most that all trials of a point may cost, in the unit of the costs given to `next_trials`.
        The pilot stage is run whatever it costs.
    correction: "holm" over every metric, time and point judged together, or "none".
    """

    precision: float = 0.005
    alpha: float = 0.05
    sizes: tuple[int, ...] = (80, 120, 240, 480)
    absolute: float = 0.0
    extrapolation: Corrections | None = None
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
        object.__setattr__(self, "absolute", check_number("absolute", self.absolute, least=0))
        object.__setattr__(self, "extrapolation", self._checked_extrapolation())
        check_integer("min_trials", self.min_trials, least=_FEWEST)
        check_integer("max_trials", self.max_trials, least=self.min_trials)
        check_integer("batch", self.batch, least=1)
        if self.budget is not None:
            check_number("budget", self.budget, above=0)
        check_choice("correction", self.correction, CORRECTIONS)

    def _checked_extrapolation(self) -> Corrections | None:
        found = check_corrections(self.extrapolation)
        if self.extrapolate and found is not None and len(found) >= len(self.sizes):
            allowed = f"at most {len(self.sizes) - 1} corrections for {len(self.sizes)} sizes"
            raise InputError("extrapolation", self.extrapolation, allowed)
        return found

    @property
    def corrections(self) -> Corrections:
        """What is fitted beside the limit."""
        if not self.extrapolate:
            return ()
        return default_corrections(len(self.sizes)) if self.extrapolation is None else self.extrapolation

    @property
    def rival(self) -> Corrections | None:
        """The corrections that a rejection must survive, too; None where the user stated which there are."""
        return rival(self.corrections) if self.extrapolate and self.extrapolation is None else None

    def pilot(self, d: int) -> int:
        """Trials of the pilot stage at size d."""
        dear = 2 * sum(size < d for size in self.sizes) >= len(self.sizes)
        return pilot_of_large(self.min_trials) if dear else self.min_trials

    def target(self, scale: float) -> float:
        """Return the asked half width for a value of magnitude |scale|."""
        relative = self.precision * abs(scale)
        return max(relative, self.absolute) if math.isfinite(relative) else self.absolute

    def describe(self) -> dict[str, Any]:
        """Return the rule as plain values and one sentence: store it before the run."""
        return {
            **dataclasses.asdict(self),
            "sizes": list(self.sizes),
            "extrapolation": None if self.extrapolation is None else list(self.extrapolation),
            "text": str(self),
        }

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        family = (
            "Holm-adjusted over all metrics, times and points" if self.correction == "holm" else "unadjusted"
        )
        subject = f"Limit d -> infinity from sizes {sizes}, corrections {self._corrections_text()}"
        if not self.extrapolate:
            subject = (
                f"At d = {sizes}, the one size of the data, without extrapolation (a theory of the limit "
                f"alone is off there by terms of order 1/d)"
            )
        allowance = f" or {self.absolute:.3g}" if self.absolute else ""
        return (
            f"{subject}; a theory is rejected at p < {self.alpha:g} ({family}); "
            f"accepted if not rejected and the half width of its {CONFIDENCE:.0%} confidence interval is "
            f"at most {self.precision:.2%} of theory{allowance}; otherwise inconclusive. "
            f"{self._pilots_text()} to {self.max_trials} trials a size, "
            f"added until the standard errors suffice."
        )

    def _pilots_text(self) -> str:
        dear = self.pilot(self.sizes[-1])
        larger = f" ({dear} at the larger sizes)" if dear < self.min_trials else ""
        return f"{self.min_trials}{larger}"

    def _corrections_text(self) -> str:
        text = in_words(self.corrections)
        if len(self.corrections) + 1 == len(self.sizes) and self.corrections:
            text += f" (not testable: {len(self.sizes)} sizes for as many coefficients)"
        if self.rival is not None:
            text += f", supposed; a rejection must survive {in_words(self.rival)}"
        return text


def pilot_of_large(min_trials: int) -> int:
    """Trials of the pilot stage at a size whose trials are dear."""
    return min(min_trials, max(_FEWEST, -(-2 * min_trials // 3)))


def _check_sizes(sizes: Any, least: int) -> tuple[int, ...]:
    """Sizes as increasing ints, `least` or more and all different."""
    allowed = "two or more different positive integers, e.g. (80, 120, 240, 480)"
    try:
        values = sorted(check_integer("sizes", d, least=1) for d in sizes)
    except TypeError:
        raise InputError("sizes", sizes, allowed) from None
    if len(values) < least or len(set(values)) < len(values):
        raise InputError("sizes", sizes, allowed, "the limit needs several sizes to extrapolate from")
    return tuple(values)
