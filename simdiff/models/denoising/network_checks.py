"""Whether a user's network can be trained in a trial: found out by tracing it, with nothing computed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError
from simdiff.models.denoising.network_functions import NetworkFunctions
from simdiff.parts.jax_settings import with_pinned_settings

_TRACED = "a function of {} in JAX operations, without side effects"


def check_network(network: Any, d: int, width: int) -> Any:
    """The shapes of what is trained, of a network that can be traced, twice with the same result.

    Raises:
        InputError: it fails, it is not a pure function, or its output is of another shape or type.
    """
    return _checked(network.functions, d, width)


@functools.lru_cache(maxsize=256)
@with_pinned_settings
def _checked(functions: NetworkFunctions, d: int, width: int) -> Any:
    first, second = (_traced(functions, d, width) for _ in range(2))
    if str(first.jaxpr) != str(second.jaxpr) or not _same(first.consts, second.consts):
        hint = (
            "traced twice it gave two programs: draw from the key, not from NumPy, and change nothing outside"
        )
        raise InputError("model", "a network that changes from call to call", "pure functions", hint)
    out = first.out_avals[0] if len(first.out_avals) == 1 else None
    if out is None or out.shape != (d,) or not jnp.issubdtype(out.dtype, jnp.floating):
        got = "several arrays" if out is None else f"shape {out.shape}, {out.dtype}"
        raise InputError(
            "model.apply", got, f"shape ({d},) at d = {d}, floating point", "at one point x (d,)"
        )
    start = lambda key: functions.start(key, d, width, jnp.float32).trained  # noqa: E731
    return jax.eval_shape(start, jax.random.key(0))


def _traced(functions: NetworkFunctions, d: int, width: int) -> Any:
    def output(key: jax.Array, x: jax.Array, t: jax.Array) -> Any:
        start = _called("model.init", "(key, d)", lambda: functions.start(key, d, width, jnp.float32))
        whole = start.joined(start.trained)
        return _called("model.apply", "(params, x[, t])", lambda: start.output(whole, x, t))

    x = jax.ShapeDtypeStruct((d,), jnp.float32)
    try:
        return jax.make_jaxpr(output)(jax.random.key(0), x, jax.ShapeDtypeStruct((), jnp.float32))
    except TypeError as error:  # what came back is no array
        hint = " ".join(str(error).split())[:200]
        raise InputError("model.apply", "an output of another kind", f"an array ({d},)", hint) from error


def _called(field: str, arguments: str, action: Callable[[], Any]) -> Any:
    """What it returns; anything that it raises as one message that names the place."""
    try:
        return action()
    except InputError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(field, "a function that fails", _TRACED.format(arguments), said) from error


def _same(first: list[Any], second: list[Any]) -> bool:
    """Whether two lists of constants are equal."""
    arrays = [[np.asarray(value) for value in values] for values in (first, second)]
    if len(arrays[0]) != len(arrays[1]):
        return False
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(*arrays, strict=True))
