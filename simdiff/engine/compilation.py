"""Compiled batches of trials, one for each (kernel, batch size, input shapes), kept by the `Session`.

Kernels are compiled ahead of time, so that compile time is known and can overlap with other work. Between
processes they are kept as `program_cache` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from simdiff.engine.returned import checked
from simdiff.engine.session import SESSION, Session
from simdiff.engine.sharding import arrays, mapped, plain
from simdiff.engine.span_map import span_map, whole
from simdiff.parts.traced_programs import lowered
from simdiff.problem import Inputs, Kernel

FAST_CPU_COMPILATION: dict[str, str | bool] = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": "1",
}
"""Without fusion emitters a trial compiles in half the processor time, and elementwise functions inside loops
are slower: a Ridge trial takes 7% to 10% longer, which pays where a few dozen are run, 200 steps of SGD at
d = 100 take 60% longer. Level 1 takes another third off (12.6 to 8.5 s for six programs of the default sweep)
and trials take as long as before; level 0 would change the last bit of some random draws. Kernels with
`runs_long` are compiled in full."""


def program(
    kernel: Kernel,
    keys: jax.Array,
    inputs: Inputs,
    side_by_side: int,
    check: Callable[[Any], None] = lambda metrics: None,
    session: Session = SESSION,
) -> Callable:
    """The compiled (keys, inputs, span) -> metrics of `kernel`, `side_by_side` trials at a time under vmap.

    Trials from span[0] to span[1] are run, the others are nan: a few of a batch take the time of a few.
    Keys that are split over devices make a program in which each device runs its own, and in which groups of
    devices that share a trial run all. `check` is called
    with what the program will give, shapes and dtypes, before it is compiled.
    """
    placed = arrays(inputs)
    platform = next(iter(keys.devices())).platform
    signature = (kernel, keys.shape, *shapes(placed), side_by_side, keys.sharding)
    make = lambda: _compile(kernel, keys, placed, side_by_side, platform, check)  # noqa: E731
    return session.program(signature, make)


def shapes(inputs: Inputs) -> tuple[Any, tuple]:
    """(structure, shapes and types): what of a kernel's inputs its program depends on."""
    leaves, structure = jax.tree.flatten(plain(inputs))
    return structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves)


def _compile(
    kernel: Kernel,
    keys: jax.Array,
    inputs: Inputs,
    side_by_side: int,
    platform: str,
    check: Callable[[Any], None],
) -> Callable:
    def batch(keys: jax.Array, inputs: Inputs, span: jax.Array) -> Any:
        return span_map(lambda key: checked(kernel, kernel(key, inputs)), keys, span, side_by_side)

    arguments = keys, inputs, whole(keys)
    found = lowered((kernel, (side_by_side,)), mapped(batch, keys), arguments)
    check(found.out_info)
    if platform != "cpu" or kernel.runs_long:
        return found.compile()
    try:
        return found.compile(compiler_options=FAST_CPU_COMPILATION)
    except Exception:  # an XLA that does not know the option; a real failure comes again below
        return found.compile()


def to_host(metrics: Any) -> dict[str, np.ndarray]:
    """Results as NumPy arrays, once they are ready."""
    return {name: np.asarray(value) for name, value in jax.block_until_ready(metrics).items()}
