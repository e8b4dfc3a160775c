"""The first trials of a point, from which a plan is made.

A whole pilot runs the stage that a validation would begin with, with the same trials, at every size that is
quick enough; a sketch runs it at the smallest size alone. What the sizes without trials would say is
extrapolated from smaller ones: variances as 1/d^2, seconds as the problem's cost.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from simdiff import engine
from simdiff.validation import Hypothesis
from simdiff.validation.study import InMemoryTrials, Study, TrialStore, fill, next_totals, rows_below

if TYPE_CHECKING:
    import pandas as pd


class Beside:
    """A store in memory beside one that is only read."""

    def __init__(self, read: TrialStore) -> None:
        self._read, self._own = read, InMemoryTrials()

    def trials(self, point: str, d: int, seed: int) -> pd.DataFrame:
        """Rows of both."""
        import pandas as pd

        found = [store.trials(point, d, seed) for store in (self._read, self._own)]
        return pd.concat([frame for frame in found if len(frame)] or found[:1], ignore_index=True)

    def append(self, frame: pd.DataFrame) -> None:
        """Keep rows in memory."""
        self._own.append(frame)


@dataclasses.dataclass(frozen=True)
class Pilot:
    """What one point's first trials say. Each mapping is by size; those by program hold what was compiled."""

    totals: dict[int, int]
    seconds: dict[int, float]
    timed: list[int]
    """The sizes at which trials ran."""
    compiling: dict[Hashable, float]
    items: list[Hypothesis]


def pilot(study: Study, store: TrialStore, most: float, sizes: Sequence[int] | None = None) -> Pilot:
    """Run the first stage, as far as it takes no more than `most` seconds a size, and ask for the next.

    `sizes`: where trials may be run; None: all of the study's.
    """
    totals = next_totals(study, study.hypotheses(rows_below(study, store, dict.fromkeys(study.sizes, 0))))
    seconds, compiling, timed = dict[int, float](), dict[Hashable, float](), list[int]()
    for d in study.sizes:
        seconds[d] = _expected(study, seconds, d)
        if (sizes is None or d in sizes) and seconds[d] * totals[d] <= most:
            compiling |= _compiled(study, d)
            seconds[d] = _timed(study, store, d, totals[d])
            timed.append(d)
    items = [_filled(item) for item in study.hypotheses(rows_below(study, store, totals))]
    return Pilot(next_totals(study, items), seconds, timed, compiling, items)


def _compiled(study: Study, d: int) -> dict[Hashable, float]:
    """{program: seconds that it took to be there}."""
    start = time.perf_counter()
    engine.prepare(study.problem, d, study.seed, study.dtype)
    return {engine.program_key(study.problem, d, study.dtype): time.perf_counter() - start}


def _timed(study: Study, store: TrialStore, d: int, count: int) -> float:
    """Seconds per trial of the fastest batch: the first one of a program may wait for more than its trials.

    The first `count` trials are run where the store lacks them.
    """
    fill(study, store, d, count, None)
    rows = store.trials(study.point, d, study.seed)
    return float(rows[rows["trial"] < count].groupby("trial")["duration"].first().min())


def _expected(study: Study, seconds: Mapping[int, float], d: int) -> float:
    """Seconds of a trial from the largest size that is known; 0 where none is."""
    if not seconds:
        return 0.0
    last = max(seconds)
    return seconds[last] * study.problem.cost(d) / study.problem.cost(last)


def _filled(item: Hypothesis) -> Hypothesis:
    """With moments of sizes without trials: those of the size before, variances as 1/d^2."""
    stats = item.stats
    counts, means, variances = stats.counts.copy(), stats.means.copy(), stats.variances.copy()
    for i in range(1, len(counts)):
        if counts[i] == 0:
            counts[i], means[i] = counts[i - 1], means[i - 1]
            variances[i] = variances[i - 1] * (stats.sizes[i - 1] / stats.sizes[i]) ** 2
    return dataclasses.replace(
        item, stats=dataclasses.replace(stats, counts=counts, means=means, variances=variances)
    )
