"""Flops of a network's output at one point, and what its gradient keeps, counted from the traced program."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from simdiff.models.denoising.network_functions import NetworkFunctions
from simdiff.parts.jax_settings import with_pinned_settings


class PointEffort(NamedTuple):
    """Of one output: flops, and numbers that are made on the way, which the gradient keeps."""

    flops: float
    numbers: float
    parameters: int


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
