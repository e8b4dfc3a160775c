"""The one exception type for bad input, and the small checks that raise it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection
from typing import Any


class InputError(ValueError):
    """A value the user gave cannot be used.

    The message names the field, what came, what is allowed and the likely cause. The command line
    prints it on one line and exits with status 2.
    """

    def __init__(self, field: str, got: Any, allowed: str, hint: str = "") -> None:
        self.field, self.got, self.allowed, self.hint = field, got, allowed, hint
        tail = f" ({hint})" if hint else ""
        super().__init__(f"{field}: got {got!r}; allowed: {allowed}{tail}")


def check_number(
    field: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    finite: bool = True,
) -> float:
    """`value` as a float, or `InputError` when it is no number in the stated range."""
    bounds = [
        f"> {above}" if above is not None else "",
        f">= {least}" if least is not None else "",
        f"<= {most}" if most is not None else "",
    ]
    kind = "a finite number" if finite else "a number"
    number = _number(value)
    bad = math.isnan(number) or (finite and math.isinf(number))
    bad = bad or (above is not None and number <= above)
    bad = bad or (least is not None and number < least) or (most is not None and number > most)
    if bad:
        allowed = " and ".join(filter(None, bounds))
        raise InputError(field, value, f"{kind} {allowed}".rstrip())
    return number


def _number(value: Any) -> float:
    """`value` as a float; nan for texts, booleans and whatever else is no number."""
    if isinstance(value, (bool, str, bytes)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def check_array(field: str, value: Any, allowed: str, finite: bool = True) -> Any:
    """`value` as an array of (finite) float64, or `InputError`."""
    import numpy as np  # late: errors are imported by commands that compute nothing

    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        array = np.array(None)
    if array.dtype.kind not in "iuf" or (finite and not np.isfinite(array).all()):
        raise InputError(field, value, f"{allowed}, {'finite ' * finite}numbers")
    return array.astype(np.float64)


def check_integer(field: str, value: Any, *, least: int, most: int | None = None) -> int:
    """`value` as an int from `least` to `most`, or `InputError`."""
    number = _number(value)
    whole = math.isfinite(number) and number == int(number)
    if not whole or number < least or (most is not None and number > most):
        raise InputError(field, value, f"an integer >= {least}" + (f" and <= {most}" if most else ""))
    return int(value)


def check_choice(field: str, value: Any, choices: Collection[str], extra: str = "") -> str:
    """`value` if it is one of `choices`, or `InputError` that suggests the nearest one."""
    if isinstance(value, str) and value in choices:
        return str(value)
    near = difflib.get_close_matches(str(value), list(choices), n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise InputError(field, value, ", ".join(choices) + extra, hint)


def check_type(field: str, value: Any, kinds: type | tuple[type, ...], hint: str = "") -> None:
    """Raise `InputError` unless `value` is an instance of one of `kinds`."""
    if not isinstance(value, kinds):
        allowed = " or ".join(k.__name__ for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise InputError(field, value, f"an instance of {allowed}", hint)
