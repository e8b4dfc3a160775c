from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from synthetic_trials import FIVE, Law, campaign

from simdiff.errors import InputError
from simdiff.validation import Rule, allocate, fit_limit, half_width, hypotheses, next_trials, size_stats
from simdiff.validation.finite_size import fit_operator
from simdiff.validation.hypothesis import Hypothesis
from simdiff.validation.sequential import asked_width

SIZES = np.array([100.0, 200.0, 400.0])
COSTS = SIZES**3
POWERS = (1.0, 2.0)
ZEROS = (0.0,) * len(Rule().sizes)


def plan(stds, targets, orders, current=(2, 2, 2), most=10**6, **kw):
    return allocate(
        np.asarray(stds, float),
        np.asarray(targets, float),
        sizes=SIZES,
        corrections=[POWERS[:order] for order in orders],
        costs=COSTS,
        current=np.array(current),
        most=most,
        **kw,
    )


def errors(stds, trials, order):
    weights = fit_operator(SIZES, np.asarray(trials, float), POWERS[:order])[0]
    return np.sqrt(np.sum((weights * np.asarray(stds)) ** 2 / trials, axis=-1))


def test_one_metric_gets_neymans_allocation():
    std = 1 / SIZES
    trials = plan([std], [2e-4], [2])
    ratio = np.array([1 / 3, 2, 8 / 3]) * std / np.sqrt(COSTS)
    assert trials / trials[0] == pytest.approx(ratio / ratio[0], rel=0.01)
    assert errors(std, trials, 2) == pytest.approx(2e-4, rel=0.01)
    assert errors(std, trials, 2) <= 2e-4


def test_two_metrics_cost_no_more_than_a_general_optimiser_finds():
    stds = np.array([[1.0, 0.1, 0.02], [0.05, 0.2, 0.3]]) / 10
    targets = np.array([2e-3, 5e-3])
    trials = plan(stds, targets, [2, 2])

    def slack(logs):
        return np.log(targets) - np.log(errors(stds, np.exp(logs), 2))

    best = minimize(
        lambda logs: np.log(COSTS @ np.exp(logs)),
        np.log(trials) + 0.1,
        constraints={"type": "ineq", "fun": slack},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert np.all(errors(stds, trials, 2) <= targets)
    # whole trials at the largest size cost a few tenths of a per cent
    assert COSTS @ trials < 1.01 * np.exp(best.fun)


def test_order_one_leads_to_the_c_optimal_design():
    # Elfving: the best two sizes alone, here the outer ones, with weights (-1/3, 4/3).
    std = 1 / SIZES
    trials = plan([std], [1e-4], [1])
    best = np.sum(np.array([1 / 3, 4 / 3]) * (1 / SIZES * np.sqrt(COSTS))[[0, 2]]) ** 2 / 1e-8
    assert errors(std, trials, 1) <= 1e-4
    assert COSTS @ trials < 1.1 * best


def test_trials_already_run_are_kept_and_batches_are_whole():
    trials = plan([1 / SIZES], [3e-3], [2], current=(50, 3, 3), batch=8)
    assert trials[0] == 50
    assert np.all(trials[1:] % 8 == 0)


def test_a_target_out_of_reach_does_not_fill_up_the_useless_sizes():
    trials = plan([1 / SIZES], [1e-6], [2], most=400)
    assert trials[1] > 300
    assert trials[2] < 300
    assert errors(1 / SIZES, trials, 2) <= 1.06 * errors(1 / SIZES, np.full(3, 400), 2)


def test_the_budget_counts_all_trials():
    free = plan([1 / SIZES], [2e-4], [2])
    bounded = plan([1 / SIZES], [2e-4], [2], budget=0.5 * COSTS @ free)
    assert COSTS @ bounded <= 0.5 * COSTS @ free
    assert COSTS @ bounded > 0.45 * COSTS @ free
    assert plan([1 / SIZES], [2e-4], [2], budget=1.0).tolist() == [2, 2, 2]


def test_the_pilot_comes_first_and_a_finished_point_asks_for_nothing():
    rule = Rule(min_trials=8, precision=0.05)
    empty = hypotheses(pd.DataFrame(), ["x"], rule.sizes, theory={"x": 1.0})
    assert next_trials(empty, rule) == {80: 8, 120: 8, 240: 6, 480: 6}
    items = campaign(FIVE, rule, seed=0)
    totals = dict(zip(rule.sizes, items[0].stats.totals.tolist(), strict=True))
    assert next_trials(items, rule) == totals


def test_stages_only_add_and_end_at_the_asked_width():
    rule, stages = Rule(precision=0.002), []
    items = campaign(FIVE, rule, seed=1, each_stage=stages.append)
    assert 2 <= len(stages) <= 6
    assert all(b[d] >= a[d] for a, b in itertools.pairwise(stages) for d in rule.sizes)
    for item in items:
        fit = fit_limit(item.stats)
        assert half_width(fit) <= asked_width(item, fit, rule)


def test_a_plan_foresees_the_quantile_of_the_trials_that_it_asks_for():
    """With that of the pilot, it would be narrower by a fifth: half as many trials more."""
    rule = Rule(precision=0.002, max_trials=10**6)
    pilot = {d: np.array([-1.0, 1.0] * (rule.pilot(d) // 2)) / d for d in rule.sizes}
    wanted = next_trials([Hypothesis("x", size_stats(pilot), 1.0, ZEROS)], rule)
    planned = dataclasses.replace(size_stats(pilot), counts=np.array(list(wanted.values())))
    assert max(planned.counts) > 5 * rule.min_trials
    fit = fit_limit(planned, rule.corrections)
    assert half_width(fit) / rule.precision == pytest.approx(0.9, abs=0.02)


def test_stopping_does_not_look_at_agreement():
    law, rule = Law(q=(0.01,)), Rule()
    deviates = np.random.default_rng(3).standard_normal((4, 20)) * 0.04
    stats = [
        size_stats({d: shift + deviates[i] * 100 / d for i, d in enumerate(rule.sizes)})
        for shift in (0.0, 0.5)
    ]
    wanted = [next_trials([Hypothesis("x", s, law.limits[0], ZEROS)], rule) for s in stats]
    assert wanted[0] == wanted[1]
    assert max(wanted[0].values()) > 20


def test_a_metric_with_failed_trials_asks_for_no_more():
    rule = Rule(min_trials=8)
    noisy = {d: np.random.default_rng(d).standard_normal(8) for d in rule.sizes}
    good = Hypothesis("x", size_stats(noisy), 1.0, ZEROS)
    bad = Hypothesis("x", size_stats({**noisy, 480: [*noisy[480][:7], np.nan]}), 1.0, ZEROS)
    assert max(next_trials([good], rule).values()) > 8
    assert next_trials([bad], rule) == dict.fromkeys(rule.sizes, 8)


def test_a_metric_without_variance_asks_for_no_more():
    rule = Rule(min_trials=8)
    item = Hypothesis("x", size_stats({d: [0.3] * 8 for d in rule.sizes}), 1.0, ZEROS)
    assert next_trials([item], rule) == dict.fromkeys(rule.sizes, 8)


def test_costs_must_be_positive():
    rule = Rule(min_trials=4)
    item = Hypothesis("x", size_stats({d: [0.0, 1.0, 2.0, 3.0] for d in rule.sizes}), 1.0, ZEROS)
    with pytest.raises(InputError, match="costs"):
        next_trials([item], rule, dict.fromkeys(rule.sizes, 1.0) | {240: 0.0})
