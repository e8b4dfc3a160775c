"""Corrections other than those supposed: rejections of a right theory and acceptances of one 1% off.

A small version of `benchmarks/calibration_corrections.py`, which has 200 seeds, three kinds of noise and of
corrections.
"""

import numpy as np
import pytest
from scipy import stats

from simdiff.validation import DISAGREE, Hypothesis, Rule, judge_table, next_trials, size_stats

SEEDS, STD, SHARE = 30, 0.01, 0.02
LAWS = {"d^(-2/3)": lambda d: (100 / d) ** (2 / 3), "log d/d": lambda d: np.log(d) / d * 100 / np.log(100)}


def item(values, factor):
    data = {d: v - factor for d, v in values.items()}
    return Hypothesis("x", size_stats(data), factor, (factor,) * len(values))


def campaign(law, rule, seed):
    """Trials with Student-3 noise until the rule asks for no more; the limit is 1."""
    rng, sign, values = np.random.default_rng(seed), (-1) ** seed, {d: np.zeros(0) for d in rule.sizes}
    while True:
        totals = {d: len(v) for d, v in values.items()}
        wanted = next_trials([item(values, 1.0)], rule)
        if wanted == totals:
            return values
        for d, count in wanted.items():
            noise = STD * 100 / d * rng.standard_t(3, count - totals[d]) / np.sqrt(3)
            values[d] = np.append(values[d], 1 + sign * SHARE * law(d) + noise)


@pytest.fixture(scope="module", params=LAWS)
def outcomes(request):
    """Verdicts of the right theory and of those 1% off, under the default rule and under two stated ones."""
    rules = {"supposed": Rule(), "wrong": Rule(extrapolation=(1, 2))}
    found = {f"{name} {factor}": [] for name in rules for factor in (1.0, 1.01, 0.99)}
    for seed in range(SEEDS):
        values = campaign(LAWS[request.param], rules["supposed"], seed)
        for name, rule in rules.items():
            for factor in (1.0, 1.01, 0.99):
                word = judge_table([item(values, factor)], rule).table["verdict"][0]
                found[f"{name} {factor}"].append(word)
    return request.param, found


def test_a_right_theory_is_seldom_rejected_whatever_the_corrections(outcomes):
    assert outcomes[1]["supposed 1.0"].count(DISAGREE) <= stats.binom.ppf(0.999, SEEDS, 0.07)


def test_without_the_rival_it_would_be(outcomes):
    law, found = outcomes
    assert law != "d^(-2/3)" or found["wrong 1.0"].count(DISAGREE) >= 0.15 * SEEDS


def test_a_theory_one_per_cent_off_is_seldom_accepted(outcomes):
    accepted = sum(outcomes[1][f"supposed {factor}"].count("agree") for factor in (1.01, 0.99))
    assert accepted <= stats.binom.ppf(0.999, 2 * SEEDS, 0.03)


@pytest.mark.parametrize("seed", range(6))
def test_stated_corrections_that_are_right_find_what_is_off(seed):
    rule = Rule(extrapolation=("2/3", "4/3"), max_trials=4096)
    values = campaign(LAWS["d^(-2/3)"], rule, seed)
    assert judge_table([item(values, 1.0)], rule).table["verdict"][0] == "agree"
    assert judge_table([item(values, 1.02)], rule).table["verdict"][0] == DISAGREE
