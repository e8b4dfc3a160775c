"""A batch of long trials, run in windows of steps: between two of them its state is kept for a later process.

One program runs any window, so that the bits do not depend on where a trial was cut.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simdiff.engine.batch_program import BatchProgram
from simdiff.engine.checkpoints import USUAL_SECONDS, Slot
from simdiff.engine.compilation import to_host
from simdiff.engine.returned import check_metrics, checked
from simdiff.engine.session import Session
from simdiff.engine.sharding import copied, mapped, split
from simdiff.engine.span_map import span_map, whole
from simdiff.engine.windows import Windows
from simdiff.problem import Inputs, Kernel, Problem

_LONG_TRIAL = 1e12
"""Flops of a trial that is worth it: half a minute on one core."""

_FIRST_FLOPS = 1e11
"""Flops of the first window, from which it is seen how long others take."""


def runs_in_windows(problem: Problem, d: int, kernel: Kernel, session: Session) -> bool:
    """Whether trials have steps to stop between and take long, or checkpoints were asked for."""
    return kernel.resumable_steps > 1 and (session.checkpoint is not None or problem.cost(d) >= _LONG_TRIAL)


class StagedProgram(BatchProgram):
    """A `BatchProgram` whose call goes through the steps in windows, with the state kept in a slot."""

    def __call__(
        self,
        keys: jax.Array,
        inputs: Inputs,
        span: tuple[int, int] | None = None,
        slot: Slot | None = None,
    ) -> dict[str, np.ndarray]:
        """Run, from where a checkpoint is."""
        arguments = self.placed(keys, inputs)
        wanted = whole(keys) if span is None else np.asarray(span, np.int32)
        state, at = self._begun(_state_shapes(self._kernel, *arguments), slot)
        windows, metrics = Windows(self._session.checkpoint or USUAL_SECONDS, self._first_window()), None
        while at < self._kernel.resumable_steps:
            ends = at, min(self._kernel.resumable_steps, at + windows.steps)
            run = functools.partial(self._window, arguments, wanted, state, ends)
            (state, metrics), at = windows.timed(run), ends[1]
            if slot is not None and at < self._kernel.resumable_steps and windows.due():
                slot.save(jax.tree.leaves(state), at, windows.spent)
        return to_host(metrics)

    def _first_window(self) -> int:
        """Short, for it is not known how long steps take."""
        share = min(1 / 16, _FIRST_FLOPS / self._problem.cost(self._d))
        return int(self._kernel.resumable_steps * share)

    def _begun(self, shapes: Any, slot: Slot | None) -> tuple[Any, int]:
        """(state, steps that are done): as it was kept, or the beginning."""
        like, structure = jax.tree.flatten(shapes)
        found = slot.load(like) if slot is not None else None
        arrays, at = found or ([np.zeros(one.shape, one.dtype) for one in like], 0)
        placed = [split(jnp.asarray(array), self.devices) for array in arrays]
        return jax.tree.unflatten(structure, placed), at

    def _window(
        self, arguments: tuple[jax.Array, Inputs], wanted: np.ndarray, state: Any, ends: tuple[int, int]
    ) -> Any:
        keys, inputs = arguments
        both = copied((inputs, np.asarray(ends, np.int32)), self.devices)
        span = copied(wanted, self.devices)
        run = lambda: jax.block_until_ready(self._program(keys, inputs)((keys, state), both, span))  # noqa: E731
        return self._with_less_memory(run)

    def _program(self, keys: jax.Array, inputs: Inputs) -> Callable:
        kernel, width = self._kernel, self._session.side_by_side[self._plan]
        shapes = tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(inputs))
        signature = ("windows", kernel, keys.shape, jax.tree.structure(inputs), shapes, width, keys.sharding)
        check = functools.partial(check_metrics, self._problem)
        make = lambda: _compile(kernel, keys, inputs, width, check)  # noqa: E731
        return self._session.program(signature, make)


def _compile(
    kernel: Kernel, keys: jax.Array, inputs: Inputs, width: int, check: Callable[[Any], None]
) -> Callable:
    shapes = _state_shapes(kernel, keys, inputs)
    state = jax.tree.map(
        lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype, sharding=keys.sharding), shapes
    )

    def run(trial: Any, shared: Any) -> Any:
        (key, before), (values, (first, last)) = trial, shared
        after, metrics = kernel.window(key, values, _restored(kernel, key, values, before), first, last)
        return _plain(after), checked(kernel, metrics)

    def batch(trials: Any, shared: Any, span: jax.Array) -> Any:
        return span_map(lambda trial: run(trial, shared), trials, span, width)

    ends = np.zeros(2, np.int32)
    lowered = jax.jit(mapped(batch, keys)).lower((keys, state), (inputs, ends), whole(keys))
    check(lowered.out_info[1])
    return lowered.compile()


def _state_shapes(kernel: Kernel, keys: jax.Array, inputs: Inputs) -> Any:
    """Of the state of all trials, with keys of random numbers as plain numbers."""
    one = jax.eval_shape(lambda key, values: _plain(_start(kernel, key, values)), keys[0], inputs)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((len(keys), *leaf.shape), leaf.dtype), one)


def _start(kernel: Kernel, key: jax.Array, inputs: Inputs) -> Any:
    return kernel.window(key, inputs, None, 0, 0)[0]


def _plain(state: Any) -> Any:
    """Keys of random numbers, which an optimiser may hold, as the numbers they are."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, state)


def _restored(kernel: Kernel, key: jax.Array, inputs: Inputs, plain: Any) -> Any:
    """What `_plain` was given."""
    like = jax.eval_shape(lambda k, values: _start(kernel, k, values), key, inputs)
    return jax.tree.map(
        lambda one, leaf: jax.random.wrap_key_data(leaf) if _is_key(one) else leaf, like, plain
    )


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
