"""Statistics of validation: estimate limits from finite sizes, decide how many trials, give verdicts.

Arrays and tables in, tables out: nothing here knows a problem or the engine. A run goes

    rule = Rule(precision=0.005, sizes=(80, 120, 240, 480))
    loop: items = hypotheses(rows, metrics, sizes, theory=..., theory_at=...)
          wanted = next_trials(items, rule, costs)      # {size: total trials}; run the missing ones
    judge_table(items, rule)                            # Verdict

`estimators` has the moments of trials, `corrections` what a fit may add to the limit, `finite_size` the fit,
`allocation` and `sequential` the number of trials, `rule` what is fixed beforehand, `verdict` the decision
and `statuses` its words.
"""

from simdiff.validation.allocation import allocate
from simdiff.validation.estimators import OK, SizeStats, size_stats, trial_stats
from simdiff.validation.finite_size import FiniteSizeFit, fit_limit, nested
from simdiff.validation.hypothesis import Hypothesis, extrapolation_table, hypotheses
from simdiff.validation.rule import Rule
from simdiff.validation.sequential import half_width, next_trials, sequential_stderr
from simdiff.validation.statuses import (
    AGREE,
    BELOW_ROUNDING,
    COMPARED,
    DISAGREE,
    DOES_NOT_FIT,
    INCONCLUSIVE,
    MEANINGS,
    NO_THEORY,
    NOT_TESTABLE,
    STATUSES,
    UNDECIDED,
    overall,
)
from simdiff.validation.verdict import Judgement, Verdict, check_fields, holm, judge, judge_table

__all__ = [
    "AGREE",
    "BELOW_ROUNDING",
    "COMPARED",
    "DISAGREE",
    "DOES_NOT_FIT",
    "INCONCLUSIVE",
    "MEANINGS",
    "NOT_TESTABLE",
    "NO_THEORY",
    "OK",
    "STATUSES",
    "UNDECIDED",
    "FiniteSizeFit",
    "Hypothesis",
    "Judgement",
    "Rule",
    "SizeStats",
    "Verdict",
    "allocate",
    "check_fields",
    "extrapolation_table",
    "fit_limit",
    "half_width",
    "holm",
    "hypotheses",
    "judge",
    "judge_table",
    "nested",
    "next_trials",
    "overall",
    "sequential_stderr",
    "size_stats",
    "trial_stats",
]
