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
    allowed = " and ".join(["a finite number" if finite else "a number", *filter(None, bounds)])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        try:
            value = float(value) if not isinstance(value, (bool, str)) else math.nan
        except (TypeError, ValueError):
            value = math.nan
        if math.isnan(value):
            raise InputError(field, value, allowed)
    bad = math.isnan(value) or (finite and math.isinf(value))
    bad = bad or (above is not None and value <= above)
    bad = bad or (least is not None and value < least) or (most is not None and value > most)
    if bad:
        raise InputError(field, value, allowed)
    return float(value)


def check_integer(field: str, value: Any, *, least: int) -> int:
    """`value` as an int of at least `least`, or `InputError`."""
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not whole or not math.isfinite(value) or value != int(value) or value < least:
        raise InputError(field, value, f"an integer >= {least}")
    return int(value)


def check_choice(field: str, value: Any, choices: Collection[str], extra: str = "") -> str:
    """`value` if it is one of `choices`, or `InputError` that suggests the nearest one."""
    if value in choices:
        return str(value)
    near = difflib.get_close_matches(str(value), list(choices), n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise InputError(field, value, ", ".join(choices) + extra, hint)
