"""Trials of one CPU device in several threads at once, each a part of a batch by the same program.

A trial's small products, random draws and factorisations keep one core busy, hardly two. Programs that own
their process make every core a device (`cores.spread_over_cores`); in a process that is not ours, a notebook
say, there is one device for all cores, and threads do the same, with the same bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from simdiff.engine.cores import available_cores
from simdiff.engine.devices import fitting_trials, in_use
from simdiff.engine.session import SESSION, Session
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem

Metrics = dict[str, np.ndarray]


def lanes(problem: Problem, d: int, session: Session = SESSION) -> int:
    """Threads for trials of this size: as many as there are cores, and as trials fit into memory."""
    devices = in_use(session)
    if devices[0].platform != "cpu" or len(devices) > 1:
        return 1
    return fitting_trials(problem, d, available_cores(), session)


def in_lanes(run: Callable[[Any], Metrics], first: int, stop: int, count: int) -> Metrics:
    """`run(span)` for `count` spans that make up the one from `first` to `stop`, all at once.

    Each gives arrays of a whole batch, with its own span filled in; so does the result.
    """
    bounds = np.linspace(first, stop, min(count, stop - first) + 1).astype(np.int32)
    spans = [np.array(span) for span in itertools.pairwise(bounds)]
    if len(spans) == 1:
        return run(spans[0])
    with ThreadPoolExecutor(len(spans)) as pool:
        found = list(pool.map(with_pinned_settings(run), spans))  # settings are a thread's own
    return {name: _merged([part[name] for part in found], spans) for name in found[0]}


def _merged(parts: list[np.ndarray], spans: list[np.ndarray]) -> np.ndarray:
    whole = parts[0].copy()
    for part, (first, stop) in zip(parts, spans, strict=True):
        whole[first:stop] = part[first:stop]
    return whole
