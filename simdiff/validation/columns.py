"""The columns of a verdict's table, which no field of a problem may be called like."""

from __future__ import annotations

from collections.abc import Iterable

from simdiff.errors import InputError

KEYS = ("point", "theory_name", "time", "metric")
COLUMNS = [
    *(*KEYS, "theory", "estimate", "stderr", "p_value", "p_adjusted"),
    *("verdict", "reason", "order", "corrections", "chi2", "chi2_dof", "p_fit", "trials", "sizes", "bad"),
]
"""The columns of a verdict's table. A summary puts the problem's fields beside them, so no field may have a
name that stands here: `check_fields`."""


def check_fields(owner: str, names: Iterable[str]) -> None:
    """Raise `InputError` if a field of the problem `owner` is called like a column of its verdict."""
    taken = [name for name in names if name in COLUMNS]
    if taken:
        hint = "a column of the summary has that name: rename the field"
        raise InputError(f"{owner}.{taken[0]}", "a field", f"any name but {', '.join(COLUMNS)}", hint)
