"""Figures that a notebook or a window shows: the one place that knows pyplot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from simdiff.report.plots import style


@contextlib.contextmanager
def shown(axes: Any = None) -> Iterator[None]:
    """Draw in these axes, one or several, or, for None, in new figures that pyplot manages."""
    from matplotlib import pyplot

    with style.canvas(axes, lambda size: pyplot.figure(figsize=size)):
        yield
