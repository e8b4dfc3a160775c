"""Flops and bytes of training a network, counted from the program of its output at one point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simdiff.engine.padding import power_of_two
from simdiff.models.denoising.point_effort import point_effort

_STORED_NOISE_BYTES = 2**27
_COPIES = 10
"""Of the parameters: themselves, gradients, two moments, an average, what an update makes; and what a window
of steps began with."""


def stored_noise(problem: Any, d: int) -> int:
    """Rows of noise draws that are kept in memory; 0 where they do not fit, or are drawn anew."""
    if problem.trainer.fresh_noise or math.isinf(problem.m):
        return 0
    rows = power_of_two(problem.counts(d)[0] * int(problem.m), 256)
    return rows if rows * d * 4 <= _STORED_NOISE_BYTES else 0


def memory(problem: Any, d: int, network: Any) -> int:
    """Bytes of a trial at its peak."""
    shape, each = problem.shape(d), point_effort(network.functions, d, problem.shape(d).p)
    rows = max(problem.trainer.batch or shape.block, shape.block)
    entries = _COPIES * each.parameters + rows * (each.numbers + 6 * d)
    entries += (shape.stored_rows + 2 * stored_noise(problem, d)) * d
    size = np.dtype(problem.precision("auto").product).itemsize
    return problem.data.stored_bytes + int(size * entries) + (8 * d**2 if problem.data.random_frame else 0)


def cost(problem: Any, d: int, network: Any) -> float:
    """Flops of a trial: a gradient costs three outputs."""
    trainer, (n, p) = problem.trainer, problem.counts(d)
    pairs = n if math.isinf(problem.m) else n * int(problem.m)
    each = point_effort(network.functions, d, p)
    in_training = 3 * trainer.steps_taken * (trainer.batch or pairs)
    measured = len(trainer.recorded or (0,)) * (pairs + max(4 * d, n) + network.fresh_points(d))
    return float(in_training + measured) * (each.flops + each.parameters / max(1, trainer.batch or pairs))
