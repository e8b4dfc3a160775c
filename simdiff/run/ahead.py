"""Compilation a step ahead of the trials."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from simdiff import engine
from simdiff.validation.study import Study

_THREADS = 2
"""A program is traced and lowered on one core, and compiled on hardly two."""


@contextlib.contextmanager
def compile_ahead(studies: Sequence[Study]) -> Iterator[None]:
    """Compile the programs of later sizes and points while earlier ones compile or run."""
    stop, guard = threading.Event(), threading.Lock()
    left = iter([(study, d) for study in studies for d in study.sizes])

    def work() -> None:
        while not stop.is_set():
            with guard:
                study, d = next(left, (None, 0))
            if study is None:
                return
            with contextlib.suppress(Exception):  # the run itself meets the same error and reports it
                engine.prepare(study.problem, d, study.seed, study.dtype)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
