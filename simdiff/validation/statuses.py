"""The words of a verdict, all of them, and what each means: the one place where they are listed."""

from __future__ import annotations

from collections.abc import Iterable

AGREE = "agree"
DISAGREE = "disagree"
INCONCLUSIVE = "inconclusive"
DOES_NOT_FIT = "does not fit"
NOT_TESTABLE = "not testable"
BELOW_ROUNDING = "below rounding"
NO_THEORY = "no theory"
APPROXIMATION = "approximation"

MEANINGS = {
    AGREE: "the limit is known as precisely as asked (half width of its 95% confidence interval at most "
    "`precision` of the theory's value, or `absolute` where that was given), and does not contradict "
    "the theory",
    DISAGREE: "the limit contradicts the theory: p < alpha, corrected for the number of metrics and points, "
    "and not for the assumed corrections alone",
    INCONCLUSIVE: "neither: the precision was not reached, or a trial or the theory gave no finite number",
    DOES_NOT_FIT: "the means at the sizes do not follow the assumed corrections, "
    "so there is no limit to compare",
    NOT_TESTABLE: "the limit contradicts the theory under the assumed corrections, but not under others "
    "that are as plausible",
    BELOW_ROUNDING: "simulation and theory are both smaller than the rounding of the arithmetic",
    APPROXIMATION: "the theory is of another model that is only like this one: "
    "the deviation is a distance, and nothing is tested",
    NO_THEORY: "simulated only; the theory leaves this metric out",
}

STATUSES = tuple(MEANINGS)
COMPARED = tuple(status for status in STATUSES if status not in (NO_THEORY, APPROXIMATION))
UNDECIDED = (INCONCLUSIVE, DOES_NOT_FIT, NOT_TESTABLE)


def overall(verdicts: Iterable[str]) -> bool | None:
    """Return False if any verdict is "disagree", True if all that can be compared are "agree", else None."""
    tested = [word for word in verdicts if word not in (NO_THEORY, APPROXIMATION, BELOW_ROUNDING)]
    if DISAGREE in tested:
        return False
    return True if tested and {*tested} == {AGREE} else None
