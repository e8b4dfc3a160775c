"""Flops and bytes of training a network, counted from the program of its output at one point."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.engine.padding import power_of_two
from simdiff.models.denoising.network_functions import NetworkFunctions
from simdiff.parts.jax_settings import with_pinned_settings

_STORED_NOISE_BYTES = 2**27
_COPIES = 10
"""Of the parameters: themselves, gradients, two moments, an average, what an update makes; and what a window
of steps began with."""


class PointEffort(NamedTuple):
    """Of one output: flops, and numbers that are made on the way, which the gradient keeps."""

    flops: float
    numbers: float
    parameters: int


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


@functools.lru_cache(maxsize=256)
@with_pinned_settings
def point_effort(functions: NetworkFunctions, d: int, width: int) -> PointEffort:
    """Counted from the traced program; a loop whose length is not known counts once."""
    programs, parameters = [], []

    def trace(key: jax.Array, x: jax.Array) -> None:
        start = functions.start(key, d, width, jnp.float32)
        whole = start.joined(start.trained)
        programs.append(jax.make_jaxpr(lambda point: start.output(whole, point, point[0]))(x))
        parameters.append(sum(leaf.size for leaf in jax.tree.leaves(start.trained)))

    jax.eval_shape(trace, jax.random.key(0), jax.ShapeDtypeStruct((d,), jnp.float32))
    counts = list(_counts(programs[0].jaxpr))
    flops, numbers = (sum(pair[k] for pair in counts) for k in range(2))
    return PointEffort(flops, numbers, parameters[0])


def _counts(jaxpr: Any) -> Iterator[tuple[float, float]]:
    """(flops, numbers made) of every operation, those inside of others included."""
    for equation in jaxpr.eqns:
        inside = [p for value in equation.params.values() for p in _programs(value)]
        for program in inside:
            repeats = equation.params.get("length", 1)
            yield from ((repeats * flops, repeats * made) for flops, made in _counts(program))
        if not inside:
            made = float(sum(math.prod(out.aval.shape) for out in equation.outvars))
            yield made * _flops_of_an_entry(equation), made


def _programs(value: Any) -> list[Any]:
    values = value if isinstance(value, tuple | list) else [value]
    inner = [getattr(v, "jaxpr", v) for v in values]
    return [v for v in inner if hasattr(v, "eqns")]


def _flops_of_an_entry(equation: Any) -> float:
    """Two for every product that is added up; one where there are none."""
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2.0 * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
    if equation.primitive.name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * math.prod(kernel) / outputs
    return 1.0
