from .allocation import allocate
from .columns import check_fields
from .estimators import OK, SizeStats, size_stats, trial_stats
from .finite_size import FiniteSizeFit, fit_limit, nested
from .hypothesis import Hypothesis, extrapolation_table, hypotheses
from .rule import Rule
from .sequential import half_width, next_trials, sequential_stderr
from .statuses import (
    AGREE,
    APPROXIMATION,
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
from .verdict import Judgement, Verdict, holm, judge, judge_table

__all__ = [
    "AGREE",
    "APPROXIMATION",
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
