"""Finite-size corrections: the what a fit may add to the limit, E(d) = E_inf + sum_k c_k g_k(d).

A correction is a positive exponent x, for d^-x, or one of the named functions in `NAMED`. Which are fitted is
part of the rule, fixed before the first trial; nothing here looks at data.

Nobody knows the corrections of a new problem. So where they are only supposed (the default) a theory is
rejected only if its rejection survives `rival` corrections: the same number of terms in powers of d^(-2/3),
the exponent of the edge of a spectrum. Two tests that must both reject keep their level whichever of the two
suppositions is right. A user who knows the corrections says so, and gets the sharper test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.validation.estimators import FloatArray

Correction = float | str
Corrections = tuple[Correction, ...]

NAMED: dict[str, Callable[[FloatArray], FloatArray]] = {
    "log d/d": lambda d: np.log(d) / d,
    "1/log d": lambda d: 1 / np.log(d),
}
NONE = "none"
RIVAL_STEP = 2 / 3
_ALLOWED = f"null, none, or a list of positive exponents, {', '.join(NAMED)}; e.g. [1, 2] or [2/3, 4/3]"


def check_corrections(value: Any) -> Corrections | None:
    """Distinct corrections as a tuple; None stands for the default, "none" or an empty list for ().

    Exponents may be written as fractions, "2/3".

    Raises:
        InputError: anything else.
    """
    if value is None or value == NONE:
        return None if value is None else ()
    items = [value] if isinstance(value, (str, int, float)) else value
    if isinstance(items, (str, bytes)) or not isinstance(items, Sequence):
        raise InputError("extrapolation", value, _ALLOWED)
    found = tuple(_checked(item) for item in items)
    if len(set(found)) < len(found):
        raise InputError("extrapolation", value, "different corrections")
    return found


def _checked(item: Any) -> Correction:
    if isinstance(item, str):
        name = " ".join(item.replace("/", " / ").split()).replace(" / ", "/")
        if name in NAMED:
            return name
        try:
            item = float(Fraction(name))
        except (ValueError, ZeroDivisionError):
            raise InputError("extrapolation", item, _ALLOWED) from None
    return float(check_number("extrapolation", item, above=0, most=8))


def default_corrections(sizes: int) -> Corrections:
    """1/d and 1/d^2 for three or more sizes, 1/d for two; see `finite_size` for the reason."""
    return (1.0, 2.0) if sizes >= 3 else (1.0,)


def rival(corrections: Corrections) -> Corrections:
    """As many corrections in powers of d^(-2/3)."""
    return tuple(RIVAL_STEP * (k + 1) for k in range(len(corrections)))


def design(corrections: Corrections, sizes: FloatArray) -> FloatArray:
    """(K, 1 + number of corrections): a column of ones, then each correction, 1 at the smallest size."""
    sizes = np.asarray(sizes, np.float64)
    columns = [np.ones(len(sizes))]
    columns += [_values(c, sizes) / _values(c, np.min(sizes, keepdims=True)) for c in corrections]
    return np.stack(columns, axis=1)


def scales(corrections: Corrections, sizes: FloatArray) -> FloatArray:
    """What turns coefficients of `design`'s columns into those of the corrections themselves."""
    least = np.min(np.asarray(sizes, np.float64), keepdims=True)
    return np.array([1.0, *(1 / float(_values(c, least)[0]) for c in corrections)])


def evaluate(corrections: Corrections, d: FloatArray) -> FloatArray:
    """(K, number of corrections): every correction at sizes d."""
    d = np.asarray(d, np.float64)
    return np.array([_values(c, d) for c in corrections]).reshape(len(corrections), d.size).T


def in_words(corrections: Corrections) -> str:
    """As in "1/d, 1/d^2"; "none" without any."""
    return ", ".join(map(_word, corrections)) or NONE


def from_words(text: str) -> Corrections:
    """The inverse of `in_words`."""
    known: dict[str, Correction] = {**{name: name for name in NAMED}, "1/d": 1.0}
    parts = [] if text in ("", NONE) else text.split(", ")
    return tuple(known[p] if p in known else float(Fraction(p.split("d^")[1].strip("()-"))) for p in parts)


def _values(correction: Correction, d: FloatArray) -> FloatArray:
    return NAMED[correction](d) if isinstance(correction, str) else d**-correction


def _word(correction: Correction) -> str:
    if isinstance(correction, str):
        return correction
    if correction == 1:
        return "1/d"
    ratio = Fraction(correction).limit_denominator(12)
    if math.isclose(float(ratio), correction, rel_tol=1e-12):
        return f"1/d^{ratio}" if ratio.denominator == 1 else f"d^(-{ratio})"
    return f"d^(-{correction!r})"
