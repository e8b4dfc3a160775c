from __future__ import annotations

import numpy as np
import pytest

from simdiff.errors import InputError
from simdiff.validation import fit_limit, size_stats
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
    assert fit_operator(SIZES, np.array([3.0, 50.0, 7.0]), 2)[0] == pytest.approx([1 / 3, -2, 8 / 3])


def test_order_one_is_weighted_least_squares():
    counts = np.array([8.0, 4.0, 2.0])
    design, w = np.stack([np.ones(3), 1 / SIZES], 1), counts * SIZES**2
    normal = np.linalg.solve(design.T @ (w[:, None] * design), design.T * w)
    assert fit_operator(SIZES, counts, 1) == pytest.approx(normal, rel=1e-9)


def test_standard_error_and_degrees_of_freedom_follow_welch():
    values = {100: [0.0, 2.0, 4.0], 400: [1.0, 3.0, 8.0, 0.0]}
    fit = fit_limit(size_stats(values))
    assert fit.weights == pytest.approx([-1 / 3, 4 / 3])
    parts = [np.var(values[100], ddof=1) / 3 / 9, np.var(values[400], ddof=1) / 4 * 16 / 9]
    assert fit.stderr == pytest.approx(np.sqrt(sum(parts)))
    assert fit.dof == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3))


def test_order_one_on_demand_is_raised_only_when_the_fit_is_poor():
    assert fit_limit(exact(lambda d: 1 + 2 / d, trials=8), order=1).order == 1
    assert fit_limit(exact(lambda d: 1 + 2 / d + 5000 / d**2, trials=8), order=1).order == 2


def test_lack_of_fit_with_one_degree_of_freedom_is_welchs_test():
    # Welch (1938) for two equal-mean groups of one size each is the same contrast test: t^2 with Welch's dof.
    means, errors2, counts = (
        np.array([1.0, 1.3, 1.1]),
        np.array([0.01, 0.02, 0.03]),
        np.array([5.0, 9.0, 4.0]),
    )
    chi2, p = lack_of_fit(SIZES, counts, means, errors2, 1)
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
        p.append(lack_of_fit(sizes, trials.astype(float), means, errors2, 1)[1])
        bent.append(lack_of_fit(sizes, trials.astype(float), means + 1000 / sizes**2, errors2, 1)[1])
    # 99.9% bound of a binomial proportion at 600 repetitions
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 600)
    assert np.mean(np.array(bent) < 0.05) > 0.95


def test_what_the_data_cannot_give_is_nan():
    fit = fit_limit(size_stats({100: [1.0], 200: [1.0, 2.0]}))
    assert np.isnan(fit.limit)
    assert np.isnan(fit.half_width())
    assert np.isnan(fit_limit(exact(lambda d: 1.0)).chi2)
    assert fit_limit(size_stats({100: [1.0, 2.0], 200: [1.0, 2.0], 400: []})).order == 1


def test_unknown_orders_are_refused():
    with pytest.raises(InputError, match="order"):
        fit_limit(exact(lambda d: 1.0), order=3)
