"""From fitted limits to verdicts: p-values, the correction for their number, and the words.

A verdict is one of three words, decided in this order for each hypothesis:

- inconclusive, if nothing can be concluded: trials that gave no finite number, a theory that did not, too few
  trials, or means that no expansion in 1/d fits. What failed trials would have said is unknown and need
  not resemble the others, so a single one rules out "agree" and "disagree" alike;
- disagree, if the adjusted p-value is below alpha, whatever the precision;
- agree, if the limit is known as precisely as asked, and inconclusive if it is not.

A metric without a theory is reported as "no theory" and takes no part in the correction. One that has a
theory but no judgeable p-value still counts in it, with p = 1: the family is fixed before the run.

The null hypothesis is |limit| <= epsilon, with epsilon 2% of the asked half width, not limit = 0. At the
asked precision this moves p-values by less than 0.001. It matters only for limits known far more precisely
than asked (a metric with hardly any variance between trials, or none), where rounding, terms in 1/d^3 and
a theory's own numerical error would otherwise be called disagreement.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as distributions

from simdiff.errors import InputError
from simdiff.validation.estimators import FloatArray
from simdiff.validation.finite_size import FiniteSizeFit, fit_limit
from simdiff.validation.hypothesis import Hypothesis, without_empty_time
from simdiff.validation.rule import CONFIDENCE, NEGLIGIBLE, Rule
from simdiff.validation.sequential import asked_width, half_width, sequential_stderr

AGREE = "agree"
DISAGREE = "disagree"
INCONCLUSIVE = "inconclusive"
NO_THEORY = "no theory"

POOR_BELOW = 0.001
"""Means whose fit has a smaller goodness-of-fit p-value support no extrapolation. Small, because a sweep
makes this check hundreds of times."""


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What one hypothesis' trials say, before it is compared with the others.

    `estimate` and `stderr` are of the limit d -> infinity, or of the mean at the only size; `p_value` is
    NaN where nothing is tested. `obstacle` says why no verdict can follow, "" if one can.
    """

    hypothesis: Hypothesis
    fit: FiniteSizeFit
    estimate: float
    stderr: float
    half_width: float
    asked: float
    p_value: float
    obstacle: str

    @property
    def p_judged(self) -> float:
        """The p-value that enters the correction; NaN when a verdict is out of reach."""
        return math.nan if self.obstacle else self.p_value


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """The answer to a validation: `agree`, the `table` behind it and the `rule` it followed.

    Columns of `table`, one row per point, time and metric: point, [time], metric, theory, estimate, stderr,
    p_value, p_adjusted, verdict, reason, order, chi2, trials ("16+12+8" usable ones by size), sizes
    ("100+200+400"), bad (trials without a finite result).
    """

    table: pd.DataFrame
    rule: Rule
    judgements: tuple[Judgement, ...] = ()

    @property
    def agree(self) -> bool | None:
        """True if every metric with a theory agrees, False if one disagrees, None if undecided."""
        return overall(self.table["verdict"])

    def __str__(self) -> str:
        word = {True: AGREE, False: DISAGREE, None: INCONCLUSIVE}[self.agree]
        shown = self.table.drop(columns=[c for c in ("point", "order", "chi2", "sizes") if c in self.table])
        text = shown.to_string(index=False, float_format=lambda x: f"{x:.5g}", na_rep="-")
        return f"{word}\n{text}\n{self.rule}"


def overall(verdicts: pd.Series) -> bool | None:
    """Return False if any verdict is "disagree", True if all that have a theory are "agree", else None."""
    tested = verdicts[verdicts != NO_THEORY]
    if (tested == DISAGREE).any():
        return False
    return True if len(tested) and (tested == AGREE).all() else None


def judge(item: Hypothesis, rule: Rule) -> Judgement:
    """Fit the limit of one hypothesis and test it against 0 (see the module for the null hypothesis)."""
    fit = fit_limit(item.stats, rule.order)
    asked = asked_width(item, fit, rule)
    stderr = sequential_stderr(fit)
    p_value = limit_p_value(fit.limit, stderr, fit.dof, NEGLIGIBLE * asked) if item.tested else math.nan
    estimate = item.reference + fit.limit
    return Judgement(item, fit, estimate, stderr, half_width(fit), asked, p_value, _obstacle(item, fit))


def judge_table(items: Sequence[Hypothesis], rule: Rule) -> Verdict:
    """Judge hypotheses together: the family of the correction is all those with a theory among `items`.

    The metrics of one trial are strongly correlated; Holm's correction holds under any dependence.
    """
    judgements = tuple(judge(item, rule) for item in items)
    adjusted = np.full(len(judgements), math.nan)
    family = np.array([j.hypothesis.theory is not None for j in judgements], bool)
    correct = holm if rule.correction == "holm" else np.asarray
    adjusted[family] = correct(np.array([j.p_judged for j in judgements])[family])
    rows = [_row(j, float(p), rule) for j, p in zip(judgements, adjusted, strict=True)]
    return Verdict(without_empty_time(pd.DataFrame(rows, columns=COLUMNS)), rule, judgements)


def limit_p_value(limit: float, stderr: float, dof: float, negligible: float) -> float:
    """Two-sided p-value for |true limit| <= `negligible`: the largest over that interval.

    That is the one at its ends, P(T > (|limit| - e)/s) + P(T > (|limit| + e)/s) with Student's T. NaN if the
    standard error is.
    """
    if math.isnan(stderr) or math.isnan(limit):
        return math.nan
    if stderr == 0.0:
        return 1.0 if abs(limit) <= negligible else 0.0
    ends = np.array([abs(limit) - negligible, abs(limit) + negligible]) / stderr
    return float(min(np.sum(distributions.t.sf(ends, dof)), 1.0))


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Holm's step-down adjusted p-values. A NaN counts as a p-value of 1 and stays NaN."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(np.where(np.isnan(p), 1.0, p), kind="stable")
    ranked = np.where(np.isnan(p), 1.0, p)[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(ranked), 1.0) if p.size else ranked
    return np.where(np.isnan(p), np.nan, adjusted)


COLUMNS = [
    *("point", "time", "metric", "theory", "estimate", "stderr", "p_value", "p_adjusted"),
    *("verdict", "reason", "order", "chi2", "trials", "sizes", "bad"),
]
"""The columns of a verdict's table. A summary puts the problem's fields beside them, so no field may have a
name that stands here: `check_fields`."""


def check_fields(owner: str, names: Iterable[str]) -> None:
    """Raise `InputError` if a field of the problem `owner` is called like a column of its verdict."""
    taken = [name for name in names if name in COLUMNS]
    if taken:
        hint = "a column of the summary has that name: rename the field"
        raise InputError(f"{owner}.{taken[0]}", "a field", f"any name but {', '.join(COLUMNS)}", hint)


def _row(j: Judgement, p_adjusted: float, rule: Rule) -> dict[str, object]:
    """One row of the verdict's table."""
    h, stats = j.hypothesis, j.hypothesis.stats
    verdict, reason = _decide(j, p_adjusted, rule)
    return {
        "point": h.point,
        "time": h.time,
        "metric": h.metric,
        "theory": math.nan if h.theory is None else h.theory,
        "estimate": j.estimate,
        "stderr": j.stderr,
        "p_value": j.p_value,
        "p_adjusted": p_adjusted,
        "verdict": verdict,
        "reason": reason,
        "order": j.fit.order,
        "chi2": j.fit.chi2,
        "trials": "+".join(map(str, stats.counts)),
        "sizes": "+".join(map(str, stats.sizes)),
        "bad": int(stats.bad.sum()),
    }


def _obstacle(item: Hypothesis, fit: FiniteSizeFit) -> str:
    """Why these trials allow no verdict, "" if they do."""
    bad, run = int(item.stats.bad.sum()), int(item.stats.totals.sum())
    if bad:
        return f"{bad} of {run} trials gave no finite result"
    if item.theory is not None and not item.tested:
        return "the theory gave no finite value"
    if np.any(item.stats.counts < 2):
        return "fewer than two trials at some size"
    if fit.p_fit < POOR_BELOW:
        return f"no expansion in 1/d fits the means (p = {fit.p_fit:.1e}): use larger sizes"
    return ""


def _decide(j: Judgement, p_adjusted: float, rule: Rule) -> tuple[str, str]:
    """Choose the verdict's word and its reason."""
    if j.hypothesis.theory is None:
        return NO_THEORY, j.obstacle
    if j.obstacle:
        return INCONCLUSIVE, j.obstacle
    if p_adjusted < rule.alpha:
        subject = "the limit" if j.fit.order else f"the mean at d = {j.hypothesis.stats.sizes[0]}"
        return DISAGREE, f"{subject} differs from the theory by {_relative(j.fit.limit, j)}"
    width = f"{CONFIDENCE:.0%} half width {_relative(j.half_width, j, sign='')}"
    if j.half_width <= j.asked:
        return AGREE, width
    return INCONCLUSIVE, f"precision not reached: {width}, asked {_relative(j.asked, j, sign='')}"


def _relative(value: float, j: Judgement, sign: str = "+") -> str:
    """Write a difference in per cent of the theory, or as it is where the theory is next to nothing."""
    scale = abs(j.hypothesis.reference)
    return f"{value / scale:{sign}.2%}" if scale > 10 * j.asked else f"{value:{sign}.1e}"
