"""Compilation a step ahead of the trials."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from simdiff import engine
from simdiff.validation.study import Study

_THREADS = 2
"""A program is traced and lowered on one core, and compiled on hardly two."""


@contextlib.contextmanager
def compile_ahead(studies: Sequence[Study]) -> Iterator[None]:
    """Compile the programs of later sizes and points while earlier ones compile or run.

    Errors are left to the run, which meets the same.
    """
    pool = ThreadPoolExecutor(_THREADS)
    for study in studies:
        for d in study.sizes:
            pool.submit(engine.prepare, study.problem, d, study.seed, study.dtype)
    try:
        yield
    finally:
        pool.shutdown(cancel_futures=True)
