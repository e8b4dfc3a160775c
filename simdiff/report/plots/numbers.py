"""Numbers as plain text, rounded to what is known of them: for tables and for the console."""

from __future__ import annotations

import math
import re
from typing import Any

from simdiff.report.plots.columns import plain


def with_error(value: float, error: float) -> str:
    """Write `value` with its standard error in its last two digits: 2.20031, 0.00123 -> 2.2003(12).

    An error of 1 or more keeps its decimal point, 123.4(1.2); very small or large numbers take a
    power of ten, 1.234(12)e-05. Without a usable error: six digits. A value that is not finite: "n/a".
    """
    if not math.isfinite(value):
        return "n/a"
    if not (math.isfinite(error) and error > 0):
        return f"{value:.6g}"
    size = max(abs(value), error)
    if not 1e-3 <= size < 1e6:
        power = math.floor(math.log10(size))
        return f"{with_error(value / 10.0**power, error / 10.0**power)}e{power:+03d}"
    places = 1 - int(f"{error:.1e}".split("e")[1])
    if places <= 0:
        return f"{round(value, places):.0f}({round(error, places):.0f})"
    shown = f"{error:.{places}f}"
    return f"{value:.{places}f}({shown if float(shown) >= 1 else shown.replace('.', '').lstrip('0')})"


def without_error(value: float, error: float) -> str:
    """Write `value` with the digits that `with_error` gives it, but without the error."""
    return re.sub(r"\(.*?\)", "", with_error(value, error))


def percent(share: float) -> str:
    """Write a share in per cent with two digits: 0.005 -> 0.5%."""
    return f"{100 * share:.2g}%" if math.isfinite(share) else "n/a"


def plain_text(value: Any) -> str:
    """Write a parameter as the command line takes it; nothing for a value that is missing."""
    known = plain(value)
    return "" if known is None else f"{known:.6g}" if isinstance(known, float) else str(known)
