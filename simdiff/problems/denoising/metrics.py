"""The metrics of denoising score matching that its kernels and evaluators give; all are per dimension."""

from __future__ import annotations

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
