"""Sizes move to where n, p and multiplicities are whole numbers, and no further than they must."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from toy_problems import Mean

from simdiff.engine import check_sizes, whole_sizes
from simdiff.engine.sizes import DEFAULT
from simdiff.errors import InputError
from simdiff.validation import allocate
from simdiff.validation.finite_size import fit_operator


@dataclasses.dataclass(frozen=True)
class Ratios(Mean):
    """A problem with the given ratios."""

    values: tuple[float, ...] = ()

    def ratios(self):
        return {f"ratio {i}": value for i, value in enumerate(self.values)}


@pytest.mark.parametrize(
    ("values", "sizes", "expected"),
    [
        ((), (101, 203), (101, 203)),
        ((2.0, 4.0), (101, 203), (101, 203)),
        ((1.5,), (101, 200), (100, 200)),
        ((0.25, 1.5), (30, 50, 100), (28, 48, 100)),
        ((1 / 3,), (100, 200, 400), (99, 201, 399)),
        ((1 / 7, 0.5), (100, 200), (98, 196)),
        ((0.1, 0.3), (100, 200), (100, 200)),
        ((2**0.5,), (100, 200), (100, 200)),
        ((2**0.5, 0.5), (101, 201), (100, 200)),
        ((1 / 64,), (50, 400), (50, 384)),
        ((1e-4,), (100, 200), (100, 200)),
        ((0.5,), (2, 3), (2, 3)),
    ],
)
def test_sizes_are_nudged(values, sizes, expected):
    assert whole_sizes(Ratios(values=values), sizes) == expected


@pytest.mark.parametrize("ratio", [0.05, 0.3, 1 / 3, 0.7, 1.1, 2.75, 8 / 7, 0.35])
def test_products_are_whole_where_the_denominator_is_small(ratio):
    for d in whole_sizes(Ratios(values=(ratio,)), (100, 200, 400)):
        assert abs(ratio * d - round(ratio * d)) < 1e-6, (ratio, d)
        assert Fraction(ratio).limit_denominator(100).denominator <= 20


def test_no_size_moves_by_more_than_15_per_cent():
    for d, moved in zip((20, 50, 100), whole_sizes(Ratios(values=(0.137, 0.61)), (20, 50, 100)), strict=True):
        assert abs(moved - d) <= 0.15 * d


def test_as_many_ratios_as_can_be_are_whole():
    """Multiples of 60 are out of reach of 100, so one of the three gives way."""
    (d, _) = whole_sizes(Ratios(values=(1 / 3, 1 / 4, 1 / 5)), (100, 180))
    assert sum(abs(r * d - round(r * d)) < 1e-9 for r in (1 / 3, 1 / 4, 1 / 5)) == 2


def test_sizes_are_sorted_and_counted_once():
    assert check_sizes([200, 100, 100]) == (100, 200)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((100,), "two or more different sizes"),
        ((100, 100), "two or more different sizes"),
        ((), "two or more different sizes"),
        ((100, 1), "got 1; allowed: an integer >= 2"),
        ((100, -5), "got -5; allowed: an integer >= 2"),
    ],
)
def test_bad_sizes_are_named(sizes, words):
    with pytest.raises(InputError, match=words) as caught:
        check_sizes(sizes)
    assert caught.value.field == "sizes"


def price(sizes, scatter, pilot=12, precision=0.005):
    """Cost of the cheapest allocation that knows a limit to `precision`, and its bias by a term in 1/d^3.

    `scatter`: standard deviation of a trial at d = 100, falling as 1/d; a trial costs d^3. The bias is
    in units of the term at d = 100.
    """
    d = np.array(sizes, float)
    stds, costs = scatter * 100 / d, d**3
    trials = allocate(
        stds[None],
        np.array([0.9 * precision / 2.05]),  # as `sequential` plans it
        sizes=d,
        corrections=[(1.0, 2.0)],
        costs=costs,
        current=np.full(len(d), pilot),
        most=10**6,
    )
    weights = fit_operator(d, trials.astype(float), (1.0, 2.0))[0]
    assert weights @ (1 + 3 / d + 5 / d**2) == pytest.approx(1)
    return costs @ trials, abs(weights @ (100 / d) ** 3)


FORMER = (100, 200, 400)


@pytest.mark.parametrize("scatter", [0.01, 0.02, 0.04])
def test_the_default_sizes_cost_no_more_than_three_did(scatter):
    (cost, bias), (near, less) = price(DEFAULT, scatter), price(FORMER, scatter)
    assert cost <= 1.05 * near
    assert bias <= 1.8 * less
