"""What a trial returned: checked while its program is traced, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from simdiff.errors import InputError
from simdiff.problem import Kernel, Problem

_REAL = (jnp.floating, jnp.integer, jnp.bool_)


def checked(kernel: Kernel, found: Any) -> dict[str, Any]:
    """The metrics that `kernel` gave, if it is a mapping of real numbers.

    Raises:
        InputError: it is something else, None or a number say, or a metric is complex.
    """
    trial = f"{type(getattr(kernel, 'problem', kernel)).__name__}.trial"
    if not isinstance(found, Mapping):
        got = "None" if found is None else f"a {type(found).__name__}"
        raise InputError(trial, got, "a mapping {metric: number}", "what the trial returned")
    for name, value in found.items():
        if not any(jnp.issubdtype(kind, real) for kind in [_kind(value)] for real in _REAL):
            hint = "return its real and imaginary part as two metrics" if _complex(value) else ""
            raise InputError(f"{trial}[{name!r}]", str(_kind(value)), "real numbers", hint)
    return dict(found)


def _kind(value: Any) -> Any:
    """The dtype of an array or a number, the type of anything else."""
    try:
        return type(None) if value is None else jnp.result_type(value)  # which takes None for a float
    except (TypeError, ValueError):
        return type(value)


def _complex(value: Any) -> bool:
    return jnp.issubdtype(_kind(value), jnp.complexfloating)


def check_metrics(problem: Problem, metrics: Mapping[str, Any]) -> None:
    """A trial must return exactly the metrics its problem lists, one number each (and time).

    `metrics` has an array for each, or what says its shape, with an axis of trials first.
    """
    wanted = {metric.name for metric in problem.metrics}
    if set(metrics) != wanted:
        hint = "trial() and metrics disagree"
        raise InputError(f"{type(problem).__name__}.trial", sorted(metrics), f"{sorted(wanted)}", hint)
    tail = () if problem.times is None else (len(problem.times),)
    for name, value in metrics.items():
        if value.shape[1:] != tail:
            allowed = f"shape {tail} for each trial"
            raise InputError(f"{type(problem).__name__}.trial[{name!r}]", value.shape[1:], allowed)
