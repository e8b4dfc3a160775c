"""The settings of JAX that change bits or types, held at fixed values wherever numbers are made.

JAX takes them from the environment, from `jax.config.update` and from contexts, before or after simdiff is
imported. A trial is to depend on (problem, d, seed, index) alone and theory on the problem alone, so trials
are compiled and run, theories evaluated and activations examined under `pinned`. The user's own settings
are untouched outside. What no program can hold, flags of XLA and of CUDA's libraries, is told by
`environment` and stored with trials.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import jax

PINS: dict[str, Any] = {
    "enable_x64": True,
    "threefry_partitionable": True,
    "default_prng_impl": "threefry2x32",
    "enable_custom_prng": False,
    "legacy_prng_key": "allow",
    "debug_key_reuse": False,
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
    "default_matmul_precision": "float32",  # on NVIDIA GPUs products would lose half their digits (TF32)
    "softmax_custom_jvp": False,
    "allow_f16_reductions": True,
    "default_device": None,
    "disable_jit": False,
    "no_tracing": False,
    "check_tracer_leaks": False,
    "debug_nans": False,
    "debug_infs": False,
    "transfer_guard": "allow",
}
"""Settings that one thread can change: `jax.<name>` is the context, `jax.config.jax_<name>` the value."""

GLOBAL_PINS: dict[str, Any] = {
    "random_seed_offset": 0,
    "high_dynamic_range_gumbel": False,
    "default_dtype_bits": "64",
    "disable_most_optimizations": False,
    "exec_time_optimization_effort": 0.0,
    "error_checking_behavior_nan": "ignore",
    "error_checking_behavior_divide": "ignore",
    "error_checking_behavior_oob": "ignore",
}
"""Settings of the whole process, `jax.config.jax_<name>`; a version of JAX may lack some."""

FLAGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE", "TF_CUDNN_DETERMINISTIC")
"""Variables of the environment that change the last digits and are read once, before anything runs."""

_guard = threading.Lock()
_inside = 0
_kept: dict[str, Any] = {}

_P = ParamSpec("_P")
_R = TypeVar("_R")


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Hold the settings of this thread, and those of the process until the last thread leaves."""
    with _process_pinned(), contextlib.ExitStack() as stack:
        for name, value in PINS.items():
            if _differs(name, value):
                stack.enter_context(getattr(jax, name)(value))
        yield


def with_pinned_settings(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, run under `pinned`."""

    @functools.wraps(function)
    def run(*arguments: _P.args, **named: _P.kwargs) -> _R:
        with pinned():
            return function(*arguments, **named)

    return run


@contextlib.contextmanager
def _process_pinned() -> Iterator[None]:
    """The first thread to enter sets the process's settings, the last to leave gives them back."""
    global _inside
    with _guard:
        _inside += 1
        for name, value in GLOBAL_PINS.items():
            if _differs(name, value):
                _kept.setdefault(name, _value(name))
                jax.config.update(f"jax_{name}", value)
    try:
        yield
    finally:
        with _guard:
            _inside -= 1
            while not _inside and _kept:
                name, value = _kept.popitem()
                jax.config.update(f"jax_{name}", value)


def _differs(name: str, value: Any) -> bool:
    try:
        there = _value(name)
    except AttributeError:  # this JAX has no such setting
        return False
    there = getattr(there, "value", there)  # an enumeration's text
    return there != value and not (name == "transfer_guard" and there is None)


def _value(name: str) -> Any:
    """The setting as this thread sees it; some are plain flags, which are read in another way."""
    known = hasattr(type(jax.config), f"jax_{name}")
    return getattr(jax.config, f"jax_{name}") if known else jax.config.read(f"jax_{name}")


def environment() -> dict[str, str]:
    """The variables of `FLAGS` that are set."""
    return {name: os.environ[name] for name in FLAGS if os.environ.get(name)}


def settings_text() -> str:
    """What trials ran under as JSON, keys sorted: the `settings` column of trial rows."""
    held = {name: value for name, value in {**PINS, **GLOBAL_PINS}.items() if value is not None}
    return json.dumps({"jax": held, "environment": environment()}, sort_keys=True)
