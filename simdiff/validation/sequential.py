"""When to stop adding trials, without spoiling the p-values.

A pilot of `rule.pilot(d)` trials per size gives first standard deviations; from then on trials are added
where they are cheapest (`allocation`) until every confidence interval of the limit is as narrow as asked.
The decision uses sample variances and costs only. For normal trials these are independent of the sample
means, so the estimate stays unbiased whatever the stopping time; what suffers is the variance at the moment
of stopping, which is biased low: one stops when it happens to be small. To leading order it is low by the
factor 1 - 2/dof, whatever the pilot: the final number of trials N is proportional to the pilot's variance v,
and the pilot's share n/N of the final variance is then off by E[(n/N)(v - s^2)] = -2 s^2/N.
`sequential_stderr` undoes that, and the planned error aims at 0.9 of the target so that most runs end right
after the second stage.

Measured size of the test at nominal 0.05 (and 0.01), sizes 100, 200, 400, order 2, costs as d^3,
precision 0.005, one metric, 20,000 repetitions (Monte-Carlo error 0.0015), by plans that did not foresee how
the quantile falls (benchmarks/pilot_sizes.py has those that do: 0.040 to 0.056 at 0.05), over trial standard
deviations from 0.6% to 1.2% at d = 100, where the number of trials ends between once and ten times the pilot:

    pilot                     8                12               16
    plain standard error      0.058 to 0.061   0.049 to 0.057   0.050 to 0.055
    corrected                 0.050 to 0.056   0.046 to 0.053   0.043 to 0.052     (0.008 to 0.012)

Hence the default pilot of 12. Eight at the larger sizes keep the size of the test and make the pilot a
third cheaper (benchmarks/pilot_sizes.py). Heavy tails (Student t with 5 degrees of freedom: 0.043 to 0.052)
or skewness 1.75 (log-normal: 0.044 to 0.059) change little. With five correlated metrics of different noise
and curvature the sizes are 0.047 to 0.051 and some metric is rejected (Holm) in 2.7% of runs; a theory 1%
off is rejected at p < 0.01, the first step of Holm for five metrics, in 96% to 98%.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from simdiff.errors import InputError
from simdiff.validation.allocation import allocate
from simdiff.validation.estimators import FloatArray, IntArray
from simdiff.validation.finite_size import FiniteSizeFit, fit_limit
from simdiff.validation.hypothesis import Hypothesis
from simdiff.validation.rule import CONFIDENCE, Rule

_AIM = 0.9


def sequential_stderr(fit: FiniteSizeFit) -> float:
    """Raise the limit's standard error by sqrt(1 + 2/dof) for having stopped when it was small."""
    return fit.stderr * math.sqrt(1 + 2 / fit.dof)


def half_width(fit: FiniteSizeFit) -> float:
    """Half width of the limit's 95% confidence interval, with `sequential_stderr`; NaN without a fit."""
    if fit.stderr == 0.0 or math.isnan(fit.stderr):
        return fit.stderr
    return float(_quantile(np.array([fit.dof]))[0] * fit.stderr)


def _quantile(dof: FloatArray) -> FloatArray:
    """Half widths of 95% confidence over plain standard errors."""
    return special.stdtrit(dof, 0.5 + CONFIDENCE / 2) * np.sqrt(1 + 2 / dof)


def asked_width(item: Hypothesis, fit: FiniteSizeFit, rule: Rule) -> float:
    """Half width that the rule asks: relative to |theory|, or to |estimate| without a finite theory.

    Never less than the rounding of the arithmetic.
    """
    return max(rule.target(item.reference if item.tested else fit.limit), item.rounding)


def next_trials(
    items: Sequence[Hypothesis], rule: Rule, costs: Mapping[int, float] | None = None
) -> dict[int, int]:
    """{size: total trials wanted} for one point; equal to the totals already run when it is done.

    items: all hypotheses of the point (same sizes), with the trials run so far, none included.
    costs: cost of one trial at each size, in any unit; d^3 if not given.

    A metric with bad trials asks for no more: its verdict cannot become conclusive. Nor does one whose
    theory is zero, unless the rule has an absolute width: no precision relative to zero is ever reached.
    """
    if not items:
        raise InputError("metrics", [], "one metric or more")
    sizes = items[0].stats.sizes
    totals = np.max([h.stats.totals for h in items], axis=0)
    pilots = np.array([rule.pilot(int(d)) for d in sizes])
    if np.any(totals < pilots):
        return _as_dict(sizes, np.maximum(totals, pilots))
    price = np.array([(costs or {}).get(int(d), float(d) ** 3) for d in sizes], np.float64)
    if not np.all(np.isfinite(price) & (price > 0)):
        raise InputError("costs", costs, "positive numbers, one a size")
    return _as_dict(sizes, _wanted(items, rule, price, totals))


def _wanted(items: Sequence[Hypothesis], rule: Rule, costs: FloatArray, totals: IntArray) -> IntArray:
    """Totals that all open metrics need, or `totals` when none is open or nothing more is allowed."""
    complete = [h for h in items if not h.stats.bad.any() and np.array_equal(h.stats.counts, totals)]
    fits = [(h, fit_limit(h.stats, rule.corrections)) for h in complete]
    asked = [(h, f, asked_width(h, f, rule)) for h, f in fits]
    live = [(h, f, width) for h, f, width in asked if f.stderr > 0 and width > 0]
    if all(half_width(f) <= asked for _, f, asked in live):
        return totals
    targets = np.array([_AIM * asked for _, _, asked in live])
    # The shrunk deviations may miss that one size is noisier than the law: then the plain ones decide.
    planned = np.stack([h.stats.planning_stds() for h, _, _ in live])
    plain = np.stack([np.sqrt(h.stats.variances) for h, _, _ in live])
    for stds in (planned, plain):
        wanted = allocate(
            stds,
            targets,
            sizes=items[0].stats.sizes.astype(np.float64),
            corrections=[f.corrections for _, f, _ in live],
            costs=costs,
            current=totals,
            most=rule.max_trials,
            batch=rule.batch,
            budget=rule.budget,
            quantile=_quantile,
        )
        if np.any(wanted > totals):
            break
    return wanted


def _as_dict(sizes: IntArray, totals: IntArray) -> dict[int, int]:
    """Plain ints, ready for JSON."""
    return {int(d): int(n) for d, n in zip(sizes, totals, strict=True)}
