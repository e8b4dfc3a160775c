from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simdiff.errors import InputError
from simdiff.problem import Metric
from simdiff.validation import (
    AGREE,
    BELOW_ROUNDING,
    DISAGREE,
    DOES_NOT_FIT,
    INCONCLUSIVE,
    MEANINGS,
    NO_THEORY,
    NOT_TESTABLE,
    Rule,
    holm,
    judge,
    judge_table,
    next_trials,
    size_stats,
)
from simdiff.validation.hypothesis import Hypothesis
from simdiff.validation.verdict import limit_p_value

RULE = Rule(extrapolation=(1, 2))


def item(error=0.0, std=0.001, theory=2.0, trials=20, metric="x", **kw):
    """A metric whose limit is exactly theory * (1 + error), with trial deviations theory * std * 100/d."""
    noise = np.tile([-1.0, 1.0], trials // 2)
    scale = abs(theory) if theory else 1.0
    samples = {d: scale * (error + 2.0 / d + std * noise * 100 / d) for d in RULE.sizes}
    return Hypothesis(metric, size_stats(samples), theory, (theory or 0.0,) * len(RULE.sizes), **kw)


def words(items, rule=RULE):
    return judge_table(items, rule).table["verdict"].tolist()


def test_the_three_words():
    assert words([item()]) == [AGREE]
    assert words([item(error=0.01)]) == [DISAGREE]
    assert words([item(std=0.05)]) == [INCONCLUSIVE]
    assert words([item(error=0.5, std=0.05)]) == [DISAGREE]


def test_a_row_says_what_was_measured():
    verdict = judge_table([item(error=0.01)], RULE)
    row = verdict.table.iloc[0]
    assert row["estimate"] == pytest.approx(2.02)
    assert row["theory"] == 2.0
    assert row["trials"] == "20+20+20+20"
    assert row["sizes"] == "80+120+240+480"
    assert row["order"] == 2
    assert row["bad"] == 0
    assert "+1.00%" in row["reason"]
    assert "disagree" in str(verdict)
    assert row["p_value"] < 1e-6


def test_overall_agreement_is_three_valued():
    good, wrong, vague = item(), item(error=0.01), item(std=0.05)
    assert judge_table([good, good], RULE).agree is True
    assert judge_table([good, wrong, vague], RULE).agree is False
    assert judge_table([good, vague], RULE).agree is None
    unknown = item(theory=None)
    assert judge_table([good, unknown], RULE).agree is True
    assert judge_table([unknown], RULE).agree is None
    assert words([unknown]) == [NO_THEORY]


def test_a_single_failed_trial_rules_out_both_verdicts():
    for error in (0.0, 0.01):
        h = item(error=error)
        stats = size_stats({d: [0.0, 1e-3] * 3 for d in RULE.sizes} | {80: [np.nan] + [error] * 5})
        verdict = judge_table([Hypothesis("x", stats, h.theory, h.offsets), item()], RULE)
        assert verdict.table["verdict"].tolist() == [INCONCLUSIVE, AGREE]
        assert verdict.table["bad"].tolist() == [1, 0]
        assert "1 of 24 trials" in verdict.table["reason"][0]
        assert verdict.agree is None


def test_theories_that_are_not_finite_and_too_few_trials_are_inconclusive():
    assert words([item(theory=math.nan)]) == [INCONCLUSIVE]
    lonely = Hypothesis("x", size_stats({d: [0.0, 1.0] for d in RULE.sizes} | {80: [0.0]}), 1.0, (1.0,) * 4)
    assert words([lonely]) == [INCONCLUSIVE]
    assert judge_table([lonely, item()], RULE).table["p_adjusted"].isna().tolist() == [True, False]


def test_means_that_no_expansion_fits_support_no_verdict():
    sizes = (100, 150, 200, 400)
    noise = np.tile([-1e-4, 1e-4], 10)
    jump = {d: (0.05 if d == 150 else 0.0) + noise for d in sizes}
    verdict = judge_table([Hypothesis("x", size_stats(jump), 1.0, (1.0,) * 4)], Rule(sizes=sizes))
    assert verdict.table["verdict"].tolist() == [DOES_NOT_FIT]
    assert "the means do not follow 1/d, 1/d^2 (chi2 = " in verdict.table["reason"][0]
    assert verdict.agree is None


def test_without_variance_the_limit_itself_is_compared():
    def constant(value):
        return Hypothesis("x", size_stats({d: [value] * 12 for d in RULE.sizes}), 2.0, (2.0,) * 4)

    assert words([constant(0.0), constant(1e-7)]) == [AGREE, AGREE]
    assert words([constant(0.02)]) == [DISAGREE]


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e9])
def test_verdicts_are_relative_whatever_the_size_of_the_values(size):
    """What was accepted once: a value 37% off, because it was small."""
    assert RULE.target(size) == pytest.approx(0.005 * size, rel=1e-14)
    assert words([item(theory=size)]) == [AGREE]
    assert words([item(theory=size, error=0.01), item(theory=size, error=0.5)]) == [DISAGREE] * 2


def test_an_absolute_width_must_be_asked_for():
    stats = size_stats({d: np.tile([-1e-5, 1e-5], 6) for d in RULE.sizes})
    tiny = Hypothesis("x", stats, 1e-6, (1e-6,) * 4)
    assert words([tiny]) == [INCONCLUSIVE]
    allowing = Rule(absolute=1e-4)
    assert words([tiny], allowing) == [AGREE]
    assert "0.50% of theory or 0.0001" in str(allowing)
    assert "of theory;" in str(RULE)


def test_a_theory_of_zero_has_no_relative_precision():
    stats = size_stats({d: np.tile([-1e-5, 1e-5], 6) for d in RULE.sizes})
    zero = Hypothesis("x", stats, 0.0, (0.0,) * 4)
    table = judge_table([zero], RULE).table
    assert table["verdict"].tolist() == [INCONCLUSIVE]
    assert "absolute=" in table["reason"][0]
    assert words([zero], Rule(absolute=1e-3)) == [AGREE]
    assert next_trials([zero], RULE) == dict.fromkeys(RULE.sizes, 12)


def test_what_is_smaller_than_rounding_is_said_to_be():
    noise = np.tile([-1e-14, 1e-14], 6)
    for theory, rounding, word in [
        (1e-14, 1e-13, BELOW_ROUNDING),
        (1e-14, 0.0, DISAGREE),
        (1.0, 1e-13, AGREE),
    ]:
        stats = size_stats({d: 3e-14 + noise / d for d in RULE.sizes})
        table = judge_table(
            [Hypothesis("x", stats, theory, (theory,) * 4, rounding=rounding), item()], RULE
        ).table
        assert table["verdict"].tolist() == [word, AGREE]
    small = Hypothesis("x", stats, 1e-14, (1e-14,) * 4, rounding=1e-13)
    verdict = judge_table([small, item()], RULE)
    assert verdict.table["reason"][0] == "4.0e-14, while the arithmetic rounds at 1.0e-13"
    assert verdict.agree is True


def test_a_sum_that_cancels_rounds_at_its_terms():
    assert Metric("kl", scale=1.0).rounding(1e-16) == pytest.approx(8e-16)
    assert Metric("train", scale=1.0, power=2).rounding(1e-7) == pytest.approx(8e-14)
    assert Metric("test").rounding(1e-7) == 0.0


def bent(error, exponent, sizes=(80, 120, 240, 480), std=0.003):
    noise = np.tile([-1.0, 1.0], 12)
    samples = {d: error + 0.1 * (d / 100) ** -exponent + std * noise * 100 / d for d in sizes}
    return Hypothesis("x", size_stats(samples), 1.0, (1.0,) * len(sizes))


def test_a_rejection_must_survive_other_corrections_where_they_are_only_supposed():
    supposed, stated = Rule(), Rule(extrapolation=(1, 2))
    right = bent(0.0, 2 / 3)
    assert words([right], stated) == [DISAGREE]
    table = judge_table([right], supposed).table
    assert table["verdict"].tolist() == [NOT_TESTABLE]
    assert "but not significantly with d^(-2/3), d^(-4/3); 1/d, 1/d^2: chi2 =" in table["reason"][0]
    assert judge_table([right], supposed).agree is None
    assert words([right], Rule(extrapolation=("2/3", "4/3"))) == [AGREE]
    assert words([bent(0.1, 2 / 3)], supposed) == [DISAGREE]


def test_as_many_sizes_as_coefficients_are_said_to_test_nothing():
    three = Rule(sizes=(100, 200, 400))
    table = judge_table([bent(0.0, 1.0, three.sizes)], three).table
    assert table["verdict"].tolist() == [AGREE]
    assert "1/d, 1/d^2: not testable, as many sizes as coefficients" in table["reason"][0]
    assert "not testable: 3 sizes for as many coefficients" in str(three)
    assert np.isnan(table["chi2"][0])
    assert table["chi2_dof"][0] == 0


def test_the_table_has_the_goodness_of_fit_and_the_nested_models():
    verdict = judge_table([item()], RULE)
    row = verdict.table.iloc[0]
    assert (row["corrections"], row["chi2_dof"]) == ("1/d, 1/d^2", 1)
    assert 0.5 < row["p_fit"] <= 1
    assert f"1/d, 1/d^2: chi2 = {row['chi2']:.2g} for 1, p = {row['p_fit']:.2g}" in row["reason"]
    assert verdict.models["corrections"].tolist() == ["none", "1/d", "1/d, 1/d^2"]
    assert verdict.models["estimate"].iloc[-1] == row["estimate"]


def test_every_status_has_a_meaning_and_stands_in_the_readme():
    table = (Path(__file__).parents[2] / "README.md").read_text()
    for status, meaning in MEANINGS.items():
        assert f"| {status} | {meaning} |" in table


def test_holm_by_hand():
    # sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 with a running maximum
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]).size == 0


def test_holm_counts_what_could_not_be_tested():
    assert holm([0.02, math.nan, math.nan])[0] == pytest.approx(0.06)
    assert np.isnan(holm([0.02, math.nan])[1])


def test_the_family_is_all_points_and_times():
    borderline = item(error=0.0014, std=0.0075, trials=60)
    alone = judge(borderline, RULE).p_value
    assert 0.005 < alone < 0.05
    assert words([borderline]) == [DISAGREE]
    family = [borderline, *(item(metric="y", time=float(i), point="p") for i in range(20))]
    table = judge_table(family, RULE).table
    assert table["p_adjusted"][0] == pytest.approx(min(21 * alone, 1.0))
    assert table["verdict"][0] == AGREE
    assert "time" in table
    assert words(family, Rule(correction="none", extrapolation=(1, 2)))[0] == DISAGREE


def test_metrics_without_theory_do_not_dilute_the_family():
    table = judge_table([item(error=0.0005), item(theory=None, metric="y")], RULE).table
    assert table["p_adjusted"][0] == table["p_value"][0]


def test_the_negligible_difference_matters_only_when_it_is_many_standard_errors():
    plain, asked = limit_p_value(2.0, 1.0, 30.0, 0.0), limit_p_value(2.0, 1.0, 30.0, 0.04)
    assert asked == pytest.approx(plain, abs=1e-3)
    assert limit_p_value(0.9, 0.01, 30.0, 1.0) > 0.99
    assert limit_p_value(1.1, 0.01, 30.0, 1.0) < 1e-6
    assert limit_p_value(0.0, 1.0, 30.0, 0.04) == pytest.approx(1.0)


def test_the_rule_is_stored_as_plain_values():
    described = json.loads(json.dumps(Rule(sizes=(400, 100, 200)).describe()))
    assert described["sizes"] == [100, 200, 400]
    assert "0.50%" in described["text"]
    text = described.pop("text")
    assert str(Rule(**{**described, "sizes": tuple(described["sizes"])})) == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("precision", 0.0),
        ("alpha", 1.0),
        ("sizes", (100,)),
        ("sizes", (100, 100)),
        ("extrapolation", (1, 2, 3, 4)),
        ("min_trials", 1),
        ("max_trials", 5),
        ("batch", 0),
        ("budget", -1.0),
        ("absolute", -1.0),
        ("correction", "holmes"),
    ],
)
def test_bad_rules_name_the_field(field, value):
    with pytest.raises(InputError, match=field):
        Rule(**{field: value})


def test_tables_keep_their_columns_when_empty_of_results():
    rows = judge_table(
        [Hypothesis("x", size_stats({d: [] for d in RULE.sizes}), 1.0, (1.0,) * 4)], RULE
    ).table
    assert isinstance(rows, pd.DataFrame)
    assert rows["verdict"].tolist() == [INCONCLUSIVE]
    assert rows["trials"].tolist() == ["0+0+0+0"]
