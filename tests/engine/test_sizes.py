"""Sizes move to where n, p and multiplicities are whole numbers, and no further than they must."""

import dataclasses
from fractions import Fraction

import pytest
from toy_problems import Mean

from simdiff.engine import check_sizes, whole_sizes
from simdiff.errors import InputError


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
