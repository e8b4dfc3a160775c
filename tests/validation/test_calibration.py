"""The statistics as a whole: a correct theory is rejected at the stated rate, a wrong one is found.

Bounds are 99.9% bounds of what honest statistics give for the number of repetitions, so a sound program
fails a line once in a thousand choices of the seed; the seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from synthetic_trials import FIVE, Law, campaign

from simdiff.validation import Rule, fit_limit, judge, judge_table, size_stats
from simdiff.validation.hypothesis import Hypothesis

REPEATS = 80


def most(rate: float, repeats: int) -> float:
    """The fraction of rejections that a test of this size exceeds once in a thousand times."""
    return float(stats.binom.ppf(0.999, repeats, rate)) / repeats


@pytest.fixture(scope="module")
def tables():
    """Verdicts of complete sequential runs of five curved metrics, under the true theory."""
    return [judge_table(campaign(FIVE, Rule(), seed), Rule()) for seed in range(REPEATS)]


def test_p_values_of_a_correct_theory_are_uniform(tables):
    p = np.array([v.table["p_value"] for v in tables])
    for column in p.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3 / 5
        assert np.mean(column < 0.05) <= most(0.05, REPEATS)


def test_a_correct_theory_is_accepted_and_rejected_no_more_often_than_alpha(tables):
    agree = [v.agree for v in tables]
    assert agree.count(False) / REPEATS <= most(0.05, REPEATS)
    assert agree.count(True) / REPEATS >= 0.9


def test_a_theory_one_per_cent_off_is_found(tables):
    repeats = 40
    found = [
        judge_table(campaign(FIVE, Rule(), s, factor=1.01), Rule()).agree is False for s in range(repeats)
    ]
    assert np.mean(found) >= 0.95


def test_standard_errors_are_honest(tables):
    z = np.array([[j.fit.limit / j.stderr for j in v.judgements] for v in tables])
    # a variance estimated from n values scatters by sqrt(2/n); metrics are correlated, so n is REPEATS
    assert np.var(z) == pytest.approx(1.0, abs=3.3 * np.sqrt(2 / REPEATS))


def test_the_standard_error_allows_for_stopping_when_it_is_small(tables):
    for j in tables[0].judgements:
        assert j.stderr == pytest.approx(j.fit.stderr * np.sqrt(1 + 2 / j.fit.dof))
        assert j.half_width > j.fit.half_width()


def one_shot(q: float, corrections: tuple[float, ...] | None, repeats: int = 1500, trials: int = 24) -> float:
    """Rejection rate of a true theory with curvature q, without a sequential stage."""
    rng, law, rule = (
        np.random.default_rng(7),
        Law(limits=(1.0,), q=(q,), std=(0.01,)),
        Rule(extrapolation=corrections),
    )
    values = {d: law.draw(rng, d, repeats * trials).reshape(repeats, trials) - 1.0 for d in rule.sizes}
    p = [
        judge(
            Hypothesis("x", size_stats({d: v[i] for d, v in values.items()}), 1.0, (1.0,) * len(rule.sizes)),
            rule,
        ).p_value
        for i in range(repeats)
    ]
    return float(np.mean(np.array(p) < 0.05))


@pytest.mark.heavy
@pytest.mark.parametrize("q", [0.0, 0.01])
def test_curvature_does_not_spoil_the_default_order(q):
    assert one_shot(q, None) <= most(0.05, 1500)


def test_too_few_corrections_spoil_it():
    assert one_shot(0.006, (1.0,)) > 0.15


def test_a_single_size_would_reject_a_correct_theory():
    rng = np.random.default_rng(1)
    values = Law(limits=(1.0,)).draw(rng, 100, 24)[:, 0] - 1.0
    assert stats.ttest_1samp(values, 0.0).pvalue < 1e-6


def test_unequal_and_unlawful_variances_are_no_problem():
    rng, repeats = np.random.default_rng(11), 2000
    spread, trials = {100: 0.2, 200: 1.0, 400: 3.0}, {100: 6, 200: 8, 400: 14}
    p = []
    for _ in range(repeats):
        data = {d: 1 / d + spread[d] * rng.standard_normal(trials[d]) for d in spread}
        fit = fit_limit(size_stats(data))
        p.append(2 * stats.t.sf(abs(fit.limit) / fit.stderr, fit.dof))
    assert np.mean(np.array(p) < 0.05) <= most(0.05, repeats)
    assert np.mean(np.array(p) < 0.05) >= 0.03
