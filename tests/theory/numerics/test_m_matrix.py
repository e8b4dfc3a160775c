"""Linear systems without a subtraction, against exact fractions; Gauss rules against moments."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from simdiff.theory.numerics.gauss_rule import gauss_rule
from simdiff.theory.numerics.m_matrix import solve_m_matrix


def exact(sums, entries, right):
    """Gauss elimination in fractions."""
    n = len(sums)
    off = [[Fraction(x) for x in row] for row in entries]
    rows = [
        [-x if i != j else Fraction(sums[i]) + sum(off[i]) - off[i][i] for j, x in enumerate(off[i])]
        + [Fraction(right[i])]
        for i in range(n)
    ]
    for k in range(n):
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return np.array([float(row[-1]) for row in rows])


def test_a_nearly_singular_system_keeps_all_digits():
    rng = np.random.default_rng(0)
    entries, right = rng.random((5, 5)), rng.random(5)
    sums = 1e-14 * rng.random(5)
    expected = exact(sums.tolist(), entries.tolist(), right.tolist())
    found = solve_m_matrix(sums, entries, right[:, None])[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    dense = np.diag(sums + entries.sum(1) - np.diag(entries)) - entries + np.diag(np.diag(entries))
    assert np.abs(np.linalg.solve(dense, right) / expected - 1).max() > 1e-6


def test_a_gauss_rule_is_exact_for_1_and_x_and_good_for_what_lies_between():
    x = stats.gamma(2.0).ppf((np.arange(4000) + 0.5) / 4000)
    weights = np.full(x.size, 1 / x.size)
    nodes, shares = gauss_rule(x, weights, 12)
    assert nodes.size == 12
    assert shares.min() > 0
    assert (shares.sum(), shares @ nodes) == pytest.approx((1.0, x.mean()), rel=1e-12)
    for scale in (0.3, 1.0, 5.0):
        assert shares @ (nodes / (1 + scale * nodes)) == pytest.approx(np.mean(x / (1 + scale * x)), rel=1e-6)
    coarse = gauss_rule(x, weights, 3)
    assert coarse[1] @ (coarse[0] / (1 + 5 * coarse[0])) != pytest.approx(np.mean(x / (1 + 5 * x)), rel=1e-6)


def test_few_values_are_kept_and_repeated_ones_found():
    x, w = np.array([1.0, 2.0]), np.array([0.25, 0.75])
    assert gauss_rule(x, w, 2)[0] is x
    nodes, shares = gauss_rule(np.repeat(x, 10), np.repeat(w / 10, 10), 5)
    assert nodes == pytest.approx(x)
    assert shares == pytest.approx(w)
