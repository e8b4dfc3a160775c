from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from simdiff.errors import InputError
from simdiff.validation import (
    AGREE,
    DISAGREE,
    INCONCLUSIVE,
    NO_THEORY,
    Rule,
    holm,
    judge,
    judge_table,
    size_stats,
)
from simdiff.validation.hypothesis import Hypothesis
from simdiff.validation.verdict import limit_p_value

RULE = Rule()


def item(error=0.0, std=0.001, theory=2.0, trials=20, metric="x", **kw):
    """A metric whose limit is exactly theory * (1 + error), with trial deviations theory * std * 100/d."""
    noise = np.tile([-1.0, 1.0], trials // 2)
    scale = abs(theory) if theory else 1.0
    samples = {d: scale * (error + 2.0 / d + std * noise * 100 / d) for d in RULE.sizes}
    return Hypothesis(metric, size_stats(samples), theory, (theory or 0.0,) * 3, **kw)


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
    assert row["trials"] == "20+20+20"
    assert row["sizes"] == "100+200+400"
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
        stats = size_stats({100: [np.nan] + [error] * 5, 200: [0.0, 1e-3] * 3, 400: [0.0, 1e-3] * 3})
        verdict = judge_table([Hypothesis("x", stats, h.theory, h.offsets), item()], RULE)
        assert verdict.table["verdict"].tolist() == [INCONCLUSIVE, AGREE]
        assert verdict.table["bad"].tolist() == [1, 0]
        assert "1 of 18 trials" in verdict.table["reason"][0]
        assert verdict.agree is None


def test_theories_that_are_not_finite_and_too_few_trials_are_inconclusive():
    assert words([item(theory=math.nan)]) == [INCONCLUSIVE]
    lonely = Hypothesis("x", size_stats({100: [0.0], 200: [0.0, 1.0], 400: [0.0, 1.0]}), 1.0, (1.0,) * 3)
    assert words([lonely]) == [INCONCLUSIVE]
    assert judge_table([lonely, item()], RULE).table["p_adjusted"].isna().tolist() == [True, False]


def test_means_that_no_expansion_fits_support_no_verdict():
    sizes = (100, 150, 200, 400)
    noise = np.tile([-1e-4, 1e-4], 10)
    jump = {d: (0.05 if d == 150 else 0.0) + noise for d in sizes}
    verdict = judge_table([Hypothesis("x", size_stats(jump), 1.0, (1.0,) * 4)], Rule(sizes=sizes))
    assert verdict.table["verdict"].tolist() == [INCONCLUSIVE]
    assert "no expansion" in verdict.table["reason"][0]


def test_without_variance_the_limit_itself_is_compared():
    def constant(value):
        return Hypothesis("x", size_stats({d: [value] * 12 for d in RULE.sizes}), 2.0, (2.0,) * 3)

    assert words([constant(0.0), constant(1e-7)]) == [AGREE, AGREE]
    assert words([constant(0.02)]) == [DISAGREE]


def test_near_zero_values_need_an_absolute_width_only():
    assert RULE.target(0.0) == 1e-4
    assert Rule(precision=0.01).target(1e-3) == 2e-4
    assert RULE.target(2.0) == 0.01
    stats = size_stats({d: np.tile([-1e-5, 1e-5], 6) for d in RULE.sizes})
    assert words([Hypothesis("x", stats, 1e-6, (1e-6,) * 3)]) == [AGREE]


def test_holm_by_hand():
    # sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 with a running maximum
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]).size == 0


def test_holm_counts_what_could_not_be_tested():
    assert holm([0.02, math.nan, math.nan])[0] == pytest.approx(0.06)
    assert np.isnan(holm([0.02, math.nan])[1])


def test_the_family_is_all_points_and_times():
    borderline = item(error=0.0014, std=0.0035, trials=60)
    alone = judge(borderline, RULE).p_value
    assert 0.005 < alone < 0.05
    assert words([borderline]) == [DISAGREE]
    family = [borderline, *(item(metric="y", time=float(i), point="p") for i in range(20))]
    table = judge_table(family, RULE).table
    assert table["p_adjusted"][0] == pytest.approx(min(21 * alone, 1.0))
    assert table["verdict"][0] == AGREE
    assert "time" in table
    assert words(family, Rule(correction="none"))[0] == DISAGREE


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
        ("order", 3),
        ("min_trials", 1),
        ("max_trials", 5),
        ("batch", 0),
        ("budget", -1.0),
        ("tiny", 0.0),
        ("correction", "holmes"),
    ],
)
def test_bad_rules_name_the_field(field, value):
    with pytest.raises(InputError, match=field):
        Rule(**{field: value})


def test_tables_keep_their_columns_when_empty_of_results():
    rows = judge_table(
        [Hypothesis("x", size_stats({d: [] for d in RULE.sizes}), 1.0, (1.0,) * 3)], RULE
    ).table
    assert isinstance(rows, pd.DataFrame)
    assert rows["verdict"].tolist() == [INCONCLUSIVE]
    assert rows["trials"].tolist() == ["0+0+0"]
