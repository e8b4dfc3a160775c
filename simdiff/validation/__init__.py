"""Statistics of validation: estimate limits from finite sizes, decide how many trials, give verdicts.

Arrays and tables in, tables out: nothing here knows a problem or the engine. A run goes

    rule = Rule(precision=0.005, sizes=(100, 200, 400))
    loop: items = hypotheses(rows, metrics, sizes, theory=..., theory_at=...)
          wanted = next_trials(items, rule, costs)      # {size: total trials}; run the missing ones
    judge_table(items, rule)                            # Verdict

`estimators` has the moments of trials, `finite_size` the fit, `allocation` and `sequential` the number of
trials, `rule` what is fixed beforehand and `verdict` the decision.
"""

from simdiff.validation.allocation import allocate
from simdiff.validation.estimators import OK, SizeStats, size_stats, trial_stats
from simdiff.validation.finite_size import FiniteSizeFit, default_order, fit_limit
from simdiff.validation.hypothesis import Hypothesis, extrapolation_table, hypotheses
from simdiff.validation.rule import Rule
from simdiff.validation.sequential import half_width, next_trials, sequential_stderr
from simdiff.validation.verdict import (
    AGREE,
    DISAGREE,
    INCONCLUSIVE,
    NO_THEORY,
    Judgement,
    Verdict,
    check_fields,
    holm,
    judge,
    judge_table,
    overall,
)

__all__ = [
    "AGREE",
    "DISAGREE",
    "INCONCLUSIVE",
    "NO_THEORY",
    "OK",
    "FiniteSizeFit",
    "Hypothesis",
    "Judgement",
    "Rule",
    "SizeStats",
    "Verdict",
    "allocate",
    "check_fields",
    "default_order",
    "extrapolation_table",
    "fit_limit",
    "half_width",
    "holm",
    "hypotheses",
    "judge",
    "judge_table",
    "next_trials",
    "overall",
    "sequential_stderr",
    "size_stats",
    "trial_stats",
]
