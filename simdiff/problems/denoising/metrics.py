"""The metrics of denoising score matching that its kernels and evaluators give; all are per dimension.

Trials sum errors up from terms of the size of the targets, 1: what is smaller than 8 eps is rounding.
Measured at d = 40 against float64 with the same random numbers: float32 and mixed trials are off by up to
8 eps, and by 1e-6 of values above 1. A score error is such a sum over h. With fewer pairs than features
exact training sums squares of residuals, which round at eps each.
"""

from __future__ import annotations

import dataclasses
import math

from simdiff.data import DataLaw
from simdiff.problem import Metric

TEST = Metric("test", "test error, DSM loss on fresh data", label="test error")
TRAIN = Metric("train", "train error, without the ridge term", label="train error")
SCORE = Metric("score", "score error on fresh data", label="score error")
MEMORIZATION = Metric(
    "memorization", "error at training samples with fresh noise", label="memorization error"
)
OBJECTIVE = Metric("objective", "minimised loss, ridge term included", label="training objective")
FLOOR = Metric("floor", "Bayes floor of the test error at the trial's own manifold")
PARALLEL = Metric(
    "test_parallel",
    "test error per dimension inside the data's subspace",
    label=r"test error $\parallel$ manifold",
)
ORTHOGONAL = Metric(
    "test_orthogonal",
    "test error per dimension outside the data's subspace",
    label=r"test error $\perp$ manifold",
)


def of_data(data: DataLaw) -> tuple[Metric, ...]:
    """Those that trials on such data have: the floor where trials differ in it, parts of the test error."""
    score = (SCORE,) if data.knows_score else ()
    floor = (FLOOR,) if data.random_frame and data.knows_score else ()
    parts = (PARALLEL, ORTHOGONAL) if data.has_flat_directions else ()
    return (TEST, TRAIN, *score, MEMORIZATION, OBJECTIVE, *floor, *parts, *data.diagnostics)


def with_rounding(metrics: tuple[Metric, ...], t: float, residuals: bool) -> tuple[Metric, ...]:
    """The same at time t; `residuals` where train errors are sums of squared residuals of exact training."""
    scales = dict.fromkeys((TEST, TRAIN, MEMORIZATION, OBJECTIVE, PARALLEL, ORTHOGONAL), 1.0)
    scales[SCORE] = -1.0 / math.expm1(-2.0 * t)
    powers = dict.fromkeys((TRAIN, OBJECTIVE), 2) if residuals else {}
    return tuple(
        dataclasses.replace(m, scale=scales.get(m, m.scale), power=powers.get(m, m.power)) for m in metrics
    )
