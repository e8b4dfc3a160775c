"""Sizes at which n, p and multiplicities come out as integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simdiff.errors import InputError, check_integer
from simdiff.problem import Problem

Sizes = Sequence[int] | np.ndarray

DEFAULT = (80, 120, 240, 480)
"""One size more than the coefficients of a fit with 1/d and 1/d^2, so that the fit can be tested.

Chosen among sets of four by the cost of equal precision. A fit takes E_inf = sum w_d E(d); trials of standard
deviation ~ 1/d and cost ~ d^3 are best spread in proportion to |w_d| d^(-5/2), and cost (sum |w_d| sqrt d)^2
in all: sizes far apart are cheap, but for the pilot trials at the largest. Here 12 pilot trials at each and
then the cheapest allocation take 1.01 times the cost of (100, 200, 400) at precision 0.005 where one trial
scatters by 1% at d = 100, and 0.37 times where it scatters by 2%. A neglected term in 1/d^3 shifts the limit
by 1.2 to 1.8 times as much as at (100, 200, 400), but chi2 shows it."""

_FARTHEST = 0.15
"""A size is moved by at most this share."""

_WHOLE = 1e-9
"""A product this near to an integer, relatively, is one."""


def whole_sizes(problem: Problem, sizes: Sizes | None) -> tuple[int, ...]:
    """The sizes, each moved to the nearest one at which as many ratios as can be times d are integers.

    Where some stay fractional (0.3162 d, say), rounding moves the ratio by less than 1/(2 d), and the
    theory is evaluated at the ratio that comes out. None stands for `DEFAULT`; a problem with one size
    only has that size, whether it is named or not, and no other.
    """
    if problem.only_size is not None:
        return _only(problem.only_size, sizes)
    if not problem.has_limit:
        return _single(sizes)
    ratios = np.array([*problem.ratios().values()], dtype=float)
    return tuple(_nearest(d, ratios) for d in check_sizes(DEFAULT if sizes is None else sizes))


def _only(d: int, sizes: Sizes | None) -> tuple[int]:
    if sizes is not None and (not _is_list(sizes) or {*sizes} != {d}):
        raise InputError("sizes", sizes, f"[{d}] or null", "the data have this one size")
    return (d,)


_USUAL = 120
"""The size of a problem that has no limit, where none is named."""


def _single(sizes: Sizes | None) -> tuple[int]:
    given = [_USUAL] if sizes is None else sizes
    if not _is_list(given) or len(given) != 1:
        hint = "the problem does not grow with d, so there is no limit to extrapolate to"
        raise InputError("sizes", sizes, f"one size, as [{_USUAL}]", hint)
    return (check_integer("sizes", given[0], least=1),)


def check_sizes(sizes: Sizes) -> tuple[int, ...]:
    """Distinct sizes, at least two, ascending."""
    if not _is_list(sizes):
        raise InputError("sizes", sizes, "a list of integers such as [80, 120, 240, 480]")
    whole = sorted({check_integer("sizes", d, least=2) for d in sizes})
    if len(whole) < 2:
        raise InputError("sizes", list(sizes), "two or more different sizes", "one size has no limit to fit")
    return tuple(whole)


def _is_list(sizes: object) -> bool:
    listed = isinstance(sizes, Sequence) and not isinstance(sizes, (str, bytes))
    return listed or (isinstance(sizes, np.ndarray) and sizes.ndim == 1)


def _nearest(d: int, ratios: np.ndarray) -> int:
    """The size within reach with the fewest fractional products; of several the nearest, then the smaller."""
    reach = int(_FARTHEST * d)
    candidates = np.arange(max(2, d - reach), d + reach + 1)
    products = ratios * candidates[:, None]
    misses = np.sum(np.abs(products - np.rint(products)) > _WHOLE * np.maximum(products, 1), axis=1)
    return int(candidates[np.lexsort((candidates, np.abs(candidates - d), misses))[0]])
