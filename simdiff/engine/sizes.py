"""Sizes at which n, p and multiplicities come out as integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from simdiff.errors import InputError, check_integer
from simdiff.problem import Problem

_LARGEST_DENOMINATOR = 64
_FARTHEST = 0.15
"""A size is moved by at most this share; otherwise it stays, and theory follows the rounded ratios."""


def nudge(problem: Problem, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes, each moved to the nearest one that makes every ratio times d an integer.

    A ratio that no denominator up to 64 gives (0.3162, say) is left out: rounding it moves it by less
    than 1/(2 d), and the theory is evaluated at the ratio that comes out.
    """
    step = 1
    for value in problem.ratios().values():
        fraction = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
        if abs(float(fraction) - value) < 1e-9:
            step = math.lcm(step, fraction.denominator)
    return tuple(_nearest(d, step) for d in check_sizes(sizes))


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Distinct sizes, at least two, ascending."""
    if isinstance(sizes, (str, int)) or not isinstance(sizes, Sequence):
        raise InputError("sizes", sizes, "a list of integers such as [100, 200, 400]")
    whole = sorted({check_integer("sizes", d, least=2) for d in sizes})
    if len(whole) < 2:
        raise InputError("sizes", list(sizes), "two or more different sizes", "one size has no limit to fit")
    return tuple(whole)


def _nearest(d: int, step: int) -> int:
    moved = max(1, round(d / step)) * step
    return moved if abs(moved - d) <= _FARTHEST * d else d
