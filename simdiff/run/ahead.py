"""Compilation a step ahead of the trials."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from simdiff import engine
from simdiff.validation.study import Study


@contextlib.contextmanager
def compile_ahead(studies: Sequence[Study]) -> Iterator[None]:
    """Compile the programs of later points while earlier ones run."""
    stop = threading.Event()

    def work() -> None:
        for study in studies:
            for d in study.sizes:
                if stop.is_set():
                    return
                with contextlib.suppress(Exception):  # the run itself meets the same error and reports it
                    engine.prepare(study.problem, d, study.seed, study.dtype)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
