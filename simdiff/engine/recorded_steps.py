"""Training that is measured at recorded steps: whole, or window by window with the same bits.

A leg is what lies between two records. A window goes through all of them and takes the steps of each that
are its own, so that one program runs any window.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

State = Any
"""A pytree of arrays."""
Records = dict[str, Float[Array, " records"]]


@dataclasses.dataclass(frozen=True)
class RecordedSteps:
    """Steps of one trial, in pure JAX.

    Args:
        start: the state before the first step.
        update: `update(step, state)` -> the state after a step; steps are counted from 0.
        measure: `measure(state)` -> {metric: number}.
        times: the numbers of steps after which it is measured, increasing; the last is that of all steps.
    """

    start: State
    update: Callable[[Any, State], State]
    measure: Callable[[State], dict[str, Shaped[Array, ""]]]
    times: tuple[float, ...]

    def whole(self) -> Records:
        """All steps in one go."""

        def leg(state: State, ends: tuple) -> tuple[State, dict]:
            state = jax.lax.fori_loop(ends[0], ends[1], self.update, state)
            return state, self.measure(state)

        return jax.lax.scan(leg, self.start, self._legs())[1]

    def last(self) -> State:
        """The state after all steps, and nothing measured."""
        return jax.lax.fori_loop(0, int(self.times[-1]), self.update, self.start)

    def window(self, kept: Any, first: Any, last: Any) -> tuple[Any, Records]:
        """The steps from `first` to `last`: see `Kernel.window`.

        `kept` is what the window before gave, (state, records so far); of no account at first = 0.
        """
        begun = self.start, self._unknown()
        if kept is not None:
            begun = jax.tree.map(lambda new, old: jnp.where(first == 0, new, old), begun, kept)

        def leg(now: State, part: tuple) -> tuple[State, dict]:
            (begin, end), known = part
            now = jax.lax.fori_loop(jnp.maximum(begin, first), jnp.minimum(end, last), self.update, now)
            ends_here = (first < end) & (end <= last)
            return now, jax.lax.cond(ends_here, self.measure, lambda _: known, now)

        now, known = jax.lax.scan(leg, begun[0], (self._legs(), begun[1]))
        return (now, known), known

    def _legs(self) -> tuple[Int[Array, " records"], Int[Array, " records"]]:
        """Steps before and after each leg."""
        stops = jnp.asarray(self.times, jnp.int32)
        return jnp.concatenate([jnp.zeros(1, jnp.int32), stops[:-1]]), stops

    def _unknown(self) -> Records:
        """Records before there are any."""
        shapes, count = jax.eval_shape(self.measure, self.start), len(self.times)
        return jax.tree.map(lambda one: jnp.full((count, *one.shape), jnp.nan, one.dtype), shapes)
