from __future__ import annotations

import math

import numpy as np
import pytest

from simdiff.errors import InputError
from simdiff.validation import fit_limit, nested, size_stats
from simdiff.validation.corrections import check_corrections, from_words, in_words
from simdiff.validation.finite_size import fit_operator, lack_of_fit

SIZES = np.array([100.0, 200.0, 400.0])


def exact(law, sizes=(100, 200, 400), trials=4):
    """Trials whose means are exactly law(d) and whose standard deviation is about 1/d."""
    noise = np.array([-1.0, 1.0] * (trials // 2))
    return size_stats({d: law(d) + noise / d for d in sizes})


@pytest.mark.parametrize(
    ("order", "sizes"), [(1, (100, 400)), (2, (100, 200, 400)), (2, (60, 100, 170, 400))]
)
def test_exact_laws_are_recovered(order, sizes):
    coefficients = (2.2, 3.5, -40.0)[: order + 1]
    fit = fit_limit(exact(lambda d: sum(c / d**k for k, c in enumerate(coefficients)), sizes))
    assert fit.order == order
    assert fit.coefficients == pytest.approx(coefficients, rel=1e-9)
    assert fit.limit == fit.coefficients[0]
    assert sum(fit.weights) == pytest.approx(1.0)


def test_three_sizes_extrapolate_with_richardson_weights():
    assert fit_operator(SIZES, np.array([3.0, 50.0, 7.0]), (1.0, 2.0))[0] == pytest.approx([1 / 3, -2, 8 / 3])


def test_order_one_is_weighted_least_squares():
    counts = np.array([8.0, 4.0, 2.0])
    design, w = np.stack([np.ones(3), 1 / SIZES], 1), counts * SIZES**2
    normal = np.linalg.solve(design.T @ (w[:, None] * design), design.T * w)
    assert fit_operator(SIZES, counts, (1.0,)) == pytest.approx(normal, rel=1e-9)


def test_standard_error_and_degrees_of_freedom_follow_welch():
    values = {100: [0.0, 2.0, 4.0], 400: [1.0, 3.0, 8.0, 0.0]}
    fit = fit_limit(size_stats(values))
    assert fit.weights == pytest.approx([-1 / 3, 4 / 3])
    parts = [np.var(values[100], ddof=1) / 3 / 9, np.var(values[400], ddof=1) / 4 * 16 / 9]
    assert fit.stderr == pytest.approx(np.sqrt(sum(parts)))
    assert fit.dof == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3))


def test_a_poor_fit_never_changes_the_corrections():
    bent = fit_limit(exact(lambda d: 1 + 2 / d + 5000 / d**2, trials=8), (1.0,))
    assert bent.corrections == (1.0,)
    assert bent.p_fit < 0.05


@pytest.mark.parametrize("corrections", [(2 / 3,), (0.5, 1.0), ("log d/d", 1.0), ("1/log d",), ()])
def test_any_corrections_are_recovered(corrections):
    values = {2 / 3: lambda d: d ** (-2 / 3), 0.5: lambda d: d**-0.5, 1.0: lambda d: 1 / d}
    values |= {"log d/d": lambda d: np.log(d) / d, "1/log d": lambda d: 1 / np.log(d)}
    coefficients = (2.2, 3.5, -4.0)[: len(corrections) + 1]

    def law(d):
        return coefficients[0] + sum(
            c * values[g](d) for c, g in zip(coefficients[1:], corrections, strict=True)
        )

    fit = fit_limit(exact(law, (60, 100, 170, 400), trials=8), corrections)
    assert fit.coefficients == pytest.approx(coefficients, rel=1e-8)
    assert fit.chi2 == pytest.approx(0.0, abs=1e-12)
    assert fit.chi2_dof == 3 - len(corrections)
    wrong = fit_limit(exact(law, (60, 100, 170, 400), trials=8), (2.0,))
    assert not corrections or abs(wrong.limit - 2.2) > 1e-3


def test_nested_fits_have_ever_more_corrections():
    fits = nested(exact(lambda d: 1 + 2 / d, (60, 100, 170, 400)))
    assert [fit.corrections for fit in fits] == [(), (1.0,), (1.0, 2.0)]
    assert [fit.chi2_dof for fit in fits] == [3, 2, 1]
    assert abs(fits[0].limit - 1) > 1e-3
    assert fits[1].limit == pytest.approx(1.0)


def test_three_sizes_leave_nothing_to_test():
    fit = fit_limit(exact(lambda d: 1 + 2 / d))
    assert (fit.chi2_dof, fit.testable) == (0, False)
    assert fit_limit(exact(lambda d: 1 + 2 / d, (60, 100, 170, 400))).testable


def test_lack_of_fit_with_one_degree_of_freedom_is_welchs_test():
    # Welch (1938) for two equal-mean groups of one size each is the same contrast test: t^2 with Welch's dof.
    means, errors2, counts = (
        np.array([1.0, 1.3, 1.1]),
        np.array([0.01, 0.02, 0.03]),
        np.array([5.0, 9.0, 4.0]),
    )
    chi2, p = lack_of_fit(SIZES, counts, means, errors2, (1.0,))
    contrast = np.array([1.0, -3.0, 2.0])  # annihilates 1 and 1/d at d = 100, 200, 400
    parts = contrast**2 * errors2
    assert chi2 == pytest.approx((contrast @ means) ** 2 / parts.sum())
    from scipy import stats

    dof = parts.sum() ** 2 / np.sum(parts**2 / (counts - 1))
    assert p == pytest.approx(2 * stats.t.sf(np.sqrt(chi2), dof))


def test_lack_of_fit_is_uniform_with_two_degrees_of_freedom_and_sees_a_bend():
    rng = np.random.default_rng(5)
    sizes, trials = np.array([80.0, 120.0, 200.0, 400.0]), np.array([8, 10, 12, 8])
    p, bent = [], []
    for _ in range(600):
        errors2 = rng.chisquare(trials - 1) / (trials - 1) / trials / sizes**2
        means = rng.standard_normal(4) / np.sqrt(trials) / sizes
        p.append(lack_of_fit(sizes, trials.astype(float), means, errors2, (1.0,))[1])
        bent.append(lack_of_fit(sizes, trials.astype(float), means + 1000 / sizes**2, errors2, (1.0,))[1])
    # 99.9% bound of a binomial proportion at 600 repetitions
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 600)
    assert np.mean(np.array(bent) < 0.05) > 0.95


def test_what_the_data_cannot_give_is_nan():
    fit = fit_limit(size_stats({100: [1.0], 200: [1.0, 2.0]}))
    assert np.isnan(fit.limit)
    assert np.isnan(fit.half_width())
    assert np.isnan(fit_limit(exact(lambda d: 1.0)).chi2)
    assert fit_limit(size_stats({100: [1.0, 2.0], 200: [1.0, 2.0], 400: []})).order == 1


@pytest.mark.parametrize(
    "text", ["1/d", "1/d, 1/d^2", "d^(-2/3), d^(-4/3)", "log d/d, 1/d^3", "none", "d^(-0.7234)"]
)
def test_corrections_are_written_and_read(text):
    assert in_words(from_words(text)) == text


def test_corrections_are_read_in_many_ways():
    assert check_corrections([1, "2/3", "log d / d"]) == (1.0, 2 / 3, "log d/d")
    assert check_corrections("none") == check_corrections([]) == ()
    assert check_corrections(0.5) == (0.5,)
    assert check_corrections(None) is None


@pytest.mark.parametrize("value", [-1, [0], ["1/d"], [1, 1.0], "logd", [math.nan], {1: 2}, [9], True, [None]])
def test_other_corrections_are_refused(value):
    with pytest.raises(InputError, match="extrapolation"):
        check_corrections(value)
