"""From fitted limits to verdicts: p-values, the correction for their number, and the words.

The words are those of `statuses`, decided in this order for each hypothesis:

- no theory;
- approximation, where the theory is of another model and there is no obstacle of the next line;
- inconclusive, if nothing can be concluded: trials that gave no finite number, a theory that did not, too few
  trials. What failed trials would have said is unknown and need not resemble the others, so a single one
  rules out "agree" and "disagree" alike;
- below rounding, if theory and estimate are both smaller than the arithmetic resolves;
- does not fit, if the means at the sizes contradict the corrections (goodness of fit p < 0.001): then the
  extrapolated number is no limit, and neither its agreement nor its disagreement means anything;
- disagree, if the adjusted p-value is below alpha, whatever the precision, and the rejection survives the
  rival corrections where the rule has any (`corrections`); not testable, if it does not survive them;
- agree, if the limit is known as precisely as asked, and inconclusive if it is not.

A metric without a theory takes no part in the correction. One that has a theory but no judgeable p-value
still counts in it, with p = 1: the family is fixed before the run.

The goodness of fit and the limit use independent combinations of the means where the corrections are right,
and a poor fit only ever takes a verdict away, so rejections of a correct theory stay below alpha. The same
holds for the rival corrections: the p-value that must be small is max(p, p_rival / 2), so where the rival
corrections are the right ones the level is at most 2 alpha (in fact less, since both tests must reject).

The null hypothesis is |limit| <= epsilon, with epsilon 2% of `precision` times the theory's value (or the
rounding of the arithmetic where that is more), not limit = 0. At the asked precision this moves p-values by
less than 0.001. It matters only for limits known far more precisely than asked (a metric with hardly any
variance between trials, or none), where rounding, terms in 1/d^3 and a theory's own numerical error would
otherwise be called disagreement. The rule's `absolute` width says when an error bar is small enough; it
never forgives a difference.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from simdiff.validation.columns import COLUMNS, KEYS
from simdiff.validation.corrections import in_words
from simdiff.validation.estimators import FloatArray
from simdiff.validation.finite_size import FiniteSizeFit, fit_limit, nested
from simdiff.validation.hypothesis import Hypothesis, without_empty_keys
from simdiff.validation.rule import CONFIDENCE, NEGLIGIBLE, Rule
from simdiff.validation.sequential import asked_width, half_width, sequential_stderr
from simdiff.validation.statuses import (
    AGREE,
    APPROXIMATION,
    BELOW_ROUNDING,
    DISAGREE,
    DOES_NOT_FIT,
    INCONCLUSIVE,
    NO_THEORY,
    NOT_TESTABLE,
    STATUSES,
    overall,
)

POOR_BELOW = 0.001
"""Means whose fit has a smaller goodness-of-fit p-value support no extrapolation. Small, because a sweep
makes this check hundreds of times."""


class Obstacle(NamedTuple):
    """What stands in the way of a comparison: the status that it gets instead of a verdict, and why."""

    status: str
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What one hypothesis' trials say, before it is compared with the others.

    `estimate` and `stderr` are of the limit d -> infinity, or of the mean at the only size; `p_value` is
    NaN where nothing is tested. `p_surviving` is the larger one of it and half that with the rival
    corrections.
    """

    hypothesis: Hypothesis
    fit: FiniteSizeFit
    estimate: float
    stderr: float
    half_width: float
    asked: float
    p_value: float
    p_surviving: float
    obstacle: Obstacle | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """The answer to a validation: `agree`, the `table` behind it and the `rule` it followed.

    Columns of `table`, one row for each point, time and metric: point, [theory_name], [time], metric, theory,
    estimate, stderr, p_value (of this comparison alone), p_adjusted (for their number), verdict (a word of
    `statuses`), reason, order (number of corrections), corrections ("1/d, 1/d^2"), chi2, chi2_dof, p_fit
    (goodness of fit; nan where sizes are as many as coefficients), trials ("16+12+8" usable ones by size),
    sizes ("100+200+400"), bad (trials without a finite result).

    `run` is the run behind it, a `simdiff.Run`, where there is one; what the verdict does not have itself it
    takes from there: `.trials`, `.plot()`, `.curves()`, `.to_html()`, `.extend(precision=...)`, ...
    """

    table: pd.DataFrame
    rule: Rule
    judgements: tuple[Judgement, ...] = ()
    run: Any = None

    @property
    def agree(self) -> bool | None:
        """True if every metric with a theory agrees, False if one disagrees, None if undecided."""
        return overall(self.table["verdict"])

    @property
    def models(self) -> pd.DataFrame:
        """The limits that fewer corrections give, for the reader: they take no part in the verdict.

        Columns: point, [time], metric, corrections, estimate, stderr, chi2, chi2_dof, p_fit.
        """
        rows = [
            {
                **_key(j),
                "corrections": in_words(fit.corrections),
                "estimate": j.hypothesis.reference + fit.limit,
            }
            | {
                "stderr": sequential_stderr(fit),
                "chi2": fit.chi2,
                "chi2_dof": fit.chi2_dof,
                "p_fit": fit.p_fit,
            }
            for j in self.judgements
            for fit in nested(j.hypothesis.stats, self.rule.corrections)
        ]
        return without_empty_keys(pd.DataFrame(rows))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "run" or self.run is None:
            raise AttributeError(f"a verdict has no {name!r}")
        return getattr(self.run, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(dir(self.run) if self.run is not None else ())})

    def __repr__(self) -> str:
        counts = self.table["verdict"].value_counts()
        told = ", ".join(f"{counts[word]} {word}" for word in STATUSES if word in counts)
        return f"Verdict(agree={self.agree}: {told}; print() shows the table)"

    def _repr_html_(self) -> str | None:
        return None if self.run is None else self.run._repr_html_()

    def __str__(self) -> str:
        only = {*self.table["verdict"]} <= {APPROXIMATION, NO_THEORY} and APPROXIMATION in {
            *self.table["verdict"]
        }
        word = APPROXIMATION if only else {True: AGREE, False: DISAGREE, None: INCONCLUSIVE}[self.agree]
        shown = self.table.drop(columns=[c for c in _NOT_SHOWN if c in self.table])
        text = shown.to_string(index=False, float_format=lambda x: f"{x:.5g}", na_rep="-")
        return f"{word}\n{text}\n{self.rule}"


def judge(item: Hypothesis, rule: Rule) -> Judgement:
    """Fit the limit of one hypothesis and test it against 0 (see the module for the null hypothesis)."""
    fit = fit_limit(item.stats, rule.corrections)
    asked = asked_width(item, fit, rule)
    negligible = max(NEGLIGIBLE * rule.precision * abs(item.reference), item.rounding)
    p_value = surviving = _p_value(item, fit, negligible)
    if rule.rival is not None:
        surviving = max(p_value, _p_value(item, fit_limit(item.stats, rule.rival), negligible) / 2)
    estimate, stderr, width = item.reference + fit.limit, sequential_stderr(fit), half_width(fit)
    return Judgement(item, fit, estimate, stderr, width, asked, p_value, surviving, _obstacle(item, fit))


def _p_value(item: Hypothesis, fit: FiniteSizeFit, negligible: float) -> float:
    if not item.tested or item.approximate:
        return math.nan
    return limit_p_value(fit.limit, sequential_stderr(fit), fit.dof, negligible)


def judge_table(items: Sequence[Hypothesis], rule: Rule) -> Verdict:
    """Judge hypotheses together: the family of the correction is all those with a theory among `items`.

    The metrics of one trial are strongly correlated; Holm's correction holds under any dependence.
    """
    judgements = tuple(judge(item, rule) for item in items)
    adjusted = _adjusted(judgements, [j.p_value for j in judgements], rule)
    surviving = _adjusted(judgements, [j.p_surviving for j in judgements], rule)
    every = zip(judgements, adjusted, surviving, strict=True)
    rows = [_row(j, float(p), float(s), rule) for j, p, s in every]
    return Verdict(without_empty_keys(pd.DataFrame(rows, columns=COLUMNS)), rule, judgements)


def _adjusted(judgements: Sequence[Judgement], p_values: Sequence[float], rule: Rule) -> FloatArray:
    """p-values corrected for the number of those that have a theory; NaN where no verdict is possible."""
    adjusted = np.full(len(judgements), math.nan)
    tested = [j.hypothesis.theory is not None and not j.hypothesis.approximate for j in judgements]
    family = np.array(tested, bool)
    judged = [math.nan if j.obstacle else p for j, p in zip(judgements, p_values, strict=True)]
    correct = holm if rule.correction == "holm" else np.asarray
    adjusted[family] = correct(np.array(judged, np.float64)[family])
    return adjusted


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
    return float(min(np.sum(special.stdtr(dof, -ends)), 1.0))


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Holm's step-down adjusted p-values. A NaN counts as a p-value of 1 and stays NaN."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(np.where(np.isnan(p), 1.0, p), kind="stable")
    ranked = np.where(np.isnan(p), 1.0, p)[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(ranked), 1.0) if p.size else ranked
    return np.where(np.isnan(p), np.nan, adjusted)


_NOT_SHOWN = ("point", "order", "corrections", "chi2_dof", "sizes")


def _key(j: Judgement) -> dict[str, object]:
    return {name: getattr(j.hypothesis, name) for name in KEYS}


def _row(j: Judgement, p_adjusted: float, surviving: float, rule: Rule) -> dict[str, object]:
    """One row of the verdict's table."""
    h, stats = j.hypothesis, j.hypothesis.stats
    verdict, reason = _decide(j, p_adjusted, surviving, rule)
    return _key(j) | {
        "theory": math.nan if h.theory is None else h.theory,
        "estimate": j.estimate,
        "stderr": j.stderr,
        "p_value": j.p_value,
        "p_adjusted": p_adjusted,
        "verdict": verdict,
        "reason": reason,
        "order": j.fit.order,
        "corrections": in_words(j.fit.corrections),
        "chi2": j.fit.chi2,
        "chi2_dof": j.fit.chi2_dof,
        "p_fit": j.fit.p_fit,
        "trials": "+".join(map(str, stats.counts)),
        "sizes": "+".join(map(str, stats.sizes)),
        "bad": int(stats.bad.sum()),
    }


def _obstacle(item: Hypothesis, fit: FiniteSizeFit) -> Obstacle | None:
    """What prevents a verdict on these trials, None if nothing does."""
    bad, run = int(item.stats.bad.sum()), int(item.stats.totals.sum())
    if bad:
        return Obstacle(INCONCLUSIVE, f"{bad} of {run} trials gave no finite result")
    if item.theory is not None and not item.tested:
        return Obstacle(INCONCLUSIVE, "the theory gave no finite value")
    if np.any(item.stats.counts < 2):
        return Obstacle(INCONCLUSIVE, "fewer than two trials at some size")
    estimate = item.reference + fit.limit
    if item.tested and max(abs(item.reference), abs(estimate)) < item.rounding:
        return Obstacle(BELOW_ROUNDING, f"{estimate:.1e}, while the arithmetic rounds at {item.rounding:.1e}")
    if fit.p_fit < POOR_BELOW:
        reason = f"the means do not follow {in_words(fit.corrections)} ({_goodness(fit)})"
        return Obstacle(DOES_NOT_FIT, f"{reason}: use larger sizes, or other corrections in extrapolation=")
    return None


def _goodness(fit: FiniteSizeFit) -> str:
    """What is known of the fit: "chi2 = 1.2 for 1, p = 0.27", or that nothing is."""
    if not fit.testable:
        return "not testable, as many sizes as coefficients"
    if math.isnan(fit.chi2):
        return "not tested, a size without variance"
    return f"chi2 = {fit.chi2:.2g} for {fit.chi2_dof}, p = {fit.p_fit:.2g}"


def _decide(j: Judgement, p_adjusted: float, surviving: float, rule: Rule) -> tuple[str, str]:
    """Choose the verdict's word and its reason."""
    if j.hypothesis.theory is None:
        return NO_THEORY, j.obstacle.reason if j.obstacle else ""
    if j.obstacle:
        return j.obstacle
    if j.hypothesis.approximate:
        return APPROXIMATION, f"{_relative(j.fit.limit, j)} from the theory of another model"
    assumed = f"; {in_words(j.fit.corrections)}: {_goodness(j.fit)}" if rule.extrapolate else ""
    if j.hypothesis.rounding > NEGLIGIBLE * rule.precision * abs(j.hypothesis.reference):
        assumed += f"; differences below {j.hypothesis.rounding:.1e} are rounding"
    if p_adjusted < rule.alpha:
        return _rejected(j, surviving, rule, assumed)
    width = f"{CONFIDENCE:.0%} half width {_relative(j.half_width, j, sign='')}"
    if j.half_width <= j.asked:
        return AGREE, width + assumed
    if j.asked == 0:
        return INCONCLUSIVE, "a theory of zero has no relative precision: give the half width in absolute="
    return INCONCLUSIVE, f"precision not reached: {width}, asked {_relative(j.asked, j, sign='')}{assumed}"


def _rejected(j: Judgement, surviving: float, rule: Rule, assumed: str) -> tuple[str, str]:
    """Disagree, unless the rival corrections say otherwise."""
    subject = "the limit" if rule.extrapolate else f"the mean at d = {j.hypothesis.stats.sizes[0]}"
    differs = f"{subject} differs from the theory by {_relative(j.fit.limit, j)}"
    if rule.rival is None or surviving < rule.alpha:
        return DISAGREE, differs + assumed
    return NOT_TESTABLE, f"{differs}, but not significantly with {in_words(rule.rival)}{assumed}"


def _relative(value: float, j: Judgement, sign: str = "+") -> str:
    """Write a difference in per cent of the theory, or as it is where the theory is zero or rounding."""
    scale = abs(j.hypothesis.reference)
    return f"{value / scale:{sign}.2%}" if scale > 10 * j.asked else f"{value:{sign}.1e}"
