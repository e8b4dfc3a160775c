"""The last answers to questions that are asked again and again, for threads of one process to share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd


class Recent:
    """The frames made last, of at most `most` rows in all, and what each was made from."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[tuple[Any, ...], pd.DataFrame]] = OrderedDict()

    def frame(
        self, question: Hashable, source: tuple[Any, ...], make: Callable[[], pd.DataFrame]
    ) -> pd.DataFrame:
        """A frame of the caller's own: a copy of the last one if its source is equal, else made anew."""
        with self._lock:
            known = self._kept.get(question)
        frame = known[1] if known is not None and known[0] == source else make()
        with self._lock:
            self._kept[question] = source, frame
            self._kept.move_to_end(question)
            while sum(len(kept) for _, kept in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return frame.copy()
