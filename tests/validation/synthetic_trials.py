"""Made-up trials with a known limit, and the loop that a run makes around `next_trials`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from simdiff.validation import Hypothesis, Rule, hypotheses, next_trials


@dataclasses.dataclass(frozen=True)
class Law:
    """Metrics with mean `limit (1 + c u + q u^2)` and standard deviation `limit std u` at u = 100/d.

    All fields but `limits` are relative to the limit; `common` is the correlation between metrics.
    """

    limits: tuple[float, ...] = (2.2,)
    c: tuple[float, ...] = (0.03,)
    q: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (0.01,)
    common: float = 0.8

    @property
    def metrics(self) -> list[str]:
        return [f"m{i}" for i in range(len(self.limits))]

    def draw(self, rng: np.random.Generator, d: int, trials: int) -> np.ndarray:
        """(trials, metrics) values at size d."""
        limit, c, q, std = (np.array(v) for v in (self.limits, self.c, self.q, self.std))
        u = 100 / d
        shared, own = rng.standard_normal((trials, 1)), rng.standard_normal((trials, len(limit)))
        noise = np.sqrt(self.common) * shared + np.sqrt(1 - self.common) * own
        return limit * (1 + c * u + q * u**2 + std * u * noise)

    def rows(self, rng: np.random.Generator, d: int, trials: range) -> pd.DataFrame:
        frame = pd.DataFrame(self.draw(rng, d, len(trials)), columns=self.metrics)
        return frame.assign(d=d, trial=list(trials), seed=0, status="ok")


FIVE = Law(
    limits=(2.2, 1.0, 0.3, 0.05, 1.5),
    c=(0.016, 0.05, -0.03, 0.02, 0.0),
    q=(0.01, -0.003, 0.006, 0.008, 0.0),
    std=(0.0055, 0.01, 0.012, 0.008, 0.004),
)
"""Five strongly correlated metrics with a curvature of up to 1% at d = 100."""


def campaign(
    law: Law,
    rule: Rule,
    seed: int,
    factor: float = 1.0,
    each_stage: Callable[[dict[int, int]], None] = lambda totals: None,
) -> list[Hypothesis]:
    """Trials until `next_trials` is content, against the true limits times `factor`."""
    rng = np.random.default_rng(seed)
    theory = {m: factor * v for m, v in zip(law.metrics, law.limits, strict=True)}
    rows, totals = pd.DataFrame(), dict.fromkeys(rule.sizes, 0)
    while True:
        items = hypotheses(rows, law.metrics, rule.sizes, theory=theory)
        wanted = next_trials(items, rule)
        if wanted == totals:
            return items
        each_stage(wanted)
        new = [law.rows(rng, d, range(totals[d], n)) for d, n in wanted.items() if n > totals[d]]
        rows, totals = pd.concat([rows, *new]), wanted
