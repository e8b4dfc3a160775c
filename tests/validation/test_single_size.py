"""Data with one size: the mean there is tested, nothing is extrapolated."""

import numpy as np
import pytest
from scipy import stats

from simdiff.errors import InputError
from simdiff.validation import Hypothesis, Rule, fit_limit, judge_table, size_stats

RULE = Rule(sizes=(64,), extrapolate=False)
VALUES = np.random.default_rng(0).normal(2.01, 0.02, 24)


def judged(values, theory):
    item = Hypothesis("x", size_stats({64: np.asarray(values) - theory}), theory, (theory,))
    return judge_table([item], RULE)


def test_the_fit_is_the_mean():
    fit = fit_limit(size_stats({64: VALUES}))
    assert (fit.order, fit.weights) == (0, (1.0,))
    assert fit.limit == pytest.approx(VALUES.mean(), rel=1e-14)
    assert fit.stderr == pytest.approx(VALUES.std(ddof=1) / np.sqrt(24), rel=1e-12)
    assert fit.dof == pytest.approx(23)
    assert np.isnan(fit_limit(size_stats({64: VALUES, 128: []})).limit)  # a limit was asked for


def test_the_verdict_is_a_t_test_at_that_size():
    verdict = judged(VALUES, 2.01)
    row = verdict.table.iloc[0]
    # the standard error is raised by sqrt(1 + 2 / 23) for the stopping rule, and 2% of 0.01 are negligible
    plain = stats.ttest_1samp(VALUES, 2.01)
    corrected = 2 * stats.t.sf(abs(plain.statistic) / np.sqrt(1 + 2 / 23), 23)
    assert row["p_value"] == pytest.approx(corrected, rel=0.05)
    assert (row["estimate"], row["order"], row["sizes"]) == (pytest.approx(VALUES.mean()), 0, "64")
    assert verdict.agree
    assert "At d = 64, the one size of the data, without extrapolation" in str(verdict)


def test_a_theory_that_is_off_there_is_rejected():
    verdict = judged(VALUES, 1.98)
    assert verdict.agree is False
    assert "the mean at d = 64 differs from the theory by +1.40%" in verdict.table["reason"][0]


def test_only_a_rule_that_says_so_has_one_size():
    with pytest.raises(InputError, match="sizes"):
        Rule(sizes=(64,))
    with pytest.raises(InputError, match="sizes"):
        Rule(sizes=(), extrapolate=False)
