"""A verdict on one fitted number, an exponent or a critical point: what `verdict` is to limits of metrics.

Words are those of `statuses`. A fit that is contradicted by its own residuals (p_fit < 0.001) decides
nothing; else the prediction is rejected where its p-value is below alpha, accepted where it is not and
the number is known to the half width asked for, and the verdict is inconclusive where it is not known so
well.
"""

from __future__ import annotations

import dataclasses
import math

from simdiff.errors import check_number
from simdiff.validation.statuses import AGREE, DISAGREE, DOES_NOT_FIT, INCONCLUSIVE
from simdiff.validation.verdict import POOR_BELOW

_POWER = 0.8
_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A number with its standard error; `dof` are those of Student's t, inf where the errors are known.

    chi2, chi2_dof and p_fit measure the residuals of the fit that it comes from: nan where nothing is left.
    """

    value: float
    stderr: float
    dof: float
    chi2: float
    chi2_dof: int
    p_fit: float

    def p_value(self, predicted: float) -> float:
        """Two-sided p-value of a predicted value."""
        from scipy.special import stdtr

        if not self.stderr > 0:
            return math.nan
        off = -abs(self.value - predicted) / self.stderr
        return min(1.0, 2 * float(stdtr(min(self.dof, 1e12), off)))

    def half_width(self, confidence: float = _CONFIDENCE) -> float:
        """Of the two-sided confidence interval."""
        return self._quantile(0.5 + confidence / 2) * self.stderr

    def smallest_seen(self, alpha: float = 0.05, power: float = _POWER) -> float:
        """The error of a prediction that is rejected with this probability."""
        return (self._quantile(1 - alpha / 2) + self._quantile(power)) * self.stderr

    def _quantile(self, level: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(min(self.dof, 1e12), level))


@dataclasses.dataclass(frozen=True)
class Claim:
    """What the data say of a predicted value, in a word of `statuses`, and what would have been seen."""

    predicted: float
    fitted: Fitted
    p_value: float
    verdict: str
    reason: str
    smallest_seen: float

    def __str__(self) -> str:
        found = f"{self.fitted.value:.5g} +- {self.fitted.stderr:.2g}"
        return f"{self.verdict}: {found} against {self.predicted:.5g}; {self.reason}"


def judge_claim(fitted: Fitted, predicted: float, precision: float, alpha: float = 0.05) -> Claim:
    """Judge a prediction; `precision` is the half width asked for, in the number's own unit.

    Raises:
        InputError: a prediction that is not finite, or a precision or alpha outside its range.
    """
    predicted = check_number("predicted", predicted)
    precision = check_number("precision", precision, above=0)
    alpha = check_number("alpha", alpha, above=0, most=0.5)
    p, width = fitted.p_value(predicted), fitted.half_width()
    word, reason = _word(fitted, p, width, precision, alpha)
    seen = fitted.smallest_seen(alpha)
    reason += f"; an error of {seen:.2g} is seen with a probability of {_POWER:.0%}"
    return Claim(predicted, fitted, p, word, reason, seen)


def _word(fitted: Fitted, p: float, width: float, precision: float, alpha: float) -> tuple[str, str]:
    if math.isnan(p):
        return INCONCLUSIVE, "no number with an error"
    if fitted.p_fit < POOR_BELOW:
        return DOES_NOT_FIT, f"the fit's residuals contradict it (p = {fitted.p_fit:.1g})"
    tested = "not testable" if fitted.chi2_dof < 1 else f"chi2 = {fitted.chi2:.3g} for {fitted.chi2_dof}"
    if p < alpha:
        return DISAGREE, f"p = {p:.2g}; fit {tested}"
    if width > precision:
        return INCONCLUSIVE, f"half width {width:.2g}, asked {precision:.2g}; fit {tested}"
    return AGREE, f"half width {width:.2g}; fit {tested}"
