"""One batch of trials on every device in use; where memory runs out, fewer side by side or split further."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import numpy as np

from simdiff.engine.checkpoints import Slot
from simdiff.engine.compilation import program, to_host
from simdiff.engine.devices import (
    describe,
    devices_for,
    largest_divisor,
    largest_size,
    side_by_side,
    split_further,
)
from simdiff.engine.groups import ONE_DEVICE, Group
from simdiff.engine.lanes import in_lanes, lanes
from simdiff.engine.returned import check_metrics
from simdiff.engine.session import SESSION, Session
from simdiff.engine.sharding import copied, dealt, split
from simdiff.engine.span_map import whole
from simdiff.errors import InputError
from simdiff.problem import Inputs, Problem


def memory_notes(session: Session = SESSION) -> tuple[str, ...]:
    """A sentence for each time that memory ran out: how trials went on."""
    return tuple(session.notes)


class Replanned(Exception):
    """Memory ran out, and trials are planned for more devices now: a new `BatchProgram` is needed."""


class BatchProgram:
    """`batch(keys, inputs, span)` is a NumPy array per metric: trials of `keys` of one problem at one size.

    Those from span[0] to span[1], all by default, are run. The others are nan, unless groups of devices share
    each trial: then all are run, and a reader takes those that it asked for. Keys, and metrics, are in the
    order of `order`.
    """

    def __init__(
        self,
        problem: Problem,
        d: int,
        dtype: str,
        size: int,
        group: Group = ONE_DEVICE,
        session: Session = SESSION,
    ) -> None:
        """`size` trials at a time, each on a group of devices."""
        self._session = session
        self.devices = devices_for(problem, d, session)
        self._problem, self._d, self._group = problem, d, group
        self.size = size
        self._kernel = group.kernel(problem.kernel(d, dtype)[0])
        self._count = size * group.devices // len(self.devices)
        self._plan = (self._kernel, self._count, self.devices)
        if self._plan not in session.side_by_side:
            split = group.split
            session.side_by_side[self._plan] = 1 if split else side_by_side(problem, d, self._count, session)

    @property
    def order(self) -> np.ndarray:
        """The trials of a batch, counted from 0, as their keys lie on the devices."""
        groups = len(self.devices) // self._group.devices
        return dealt(self._count * groups, groups)

    def compile(self, keys: jax.Array, inputs: Inputs) -> None:
        """Compile the program of such arguments; cheap when that has been done.

        Raises:
            InputError: as a call does; the trial returns something else than its metrics.
            Replanned: as a call does.
        """
        arguments = self.placed(keys, inputs)
        self._with_less_memory(lambda: self._program(*arguments))

    def __call__(
        self,
        keys: jax.Array,
        inputs: Inputs,
        span: tuple[int, int] | None = None,
        slot: Slot | None = None,
    ) -> dict[str, np.ndarray]:
        """Run; a batch that runs at once keeps nothing in its slot.

        Raises:
            InputError: memory runs out with one trial at a time.
            Replanned: it does, but more devices than so far can split a trial.
        """
        arguments = self.placed(keys, inputs)
        first, stop = whole(keys) if span is None else span
        count = lanes(self._problem, self._d, self._session)
        return self._with_less_memory(
            lambda: in_lanes(self._run(self._program(*arguments), *arguments), first, stop, count)
        )

    def _run(
        self, program: Callable, keys: jax.Array, inputs: Inputs
    ) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """`run(span)` are the metrics of the trials in that span."""
        place = functools.partial(copied, devices=self.devices, group=self._group.devices)
        return lambda span: to_host(program(keys, inputs, place(span)))

    def placed(self, keys: jax.Array, inputs: Inputs) -> tuple[jax.Array, Inputs]:
        """Keys split over the devices, inputs on each; what is there already is not moved."""
        group = self._group.devices
        return split(keys, self.devices, group), copied(inputs, self.devices, group)

    def _program(self, keys: jax.Array, inputs: Inputs) -> Callable:
        check = functools.partial(check_metrics, self._problem)
        width = self._session.side_by_side[self._plan]
        return program(self._kernel, keys, inputs, width, check, self._session)

    def _with_less_memory(self, action: Callable[[], Any]) -> Any:
        """The action, again with fewer trials side by side each time that memory runs out."""
        while True:
            try:
                return action()
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                self._narrow(error)

    def _narrow(self, error: Exception) -> None:
        planned = self._session.side_by_side
        before = planned[self._plan]
        if before == 1:
            self._split_further(error)
        planned[self._plan] = largest_divisor(self._count, before // 2)
        self._note(f"{planned[self._plan]} side by side on a device instead of {before}")

    def _split_further(self, error: Exception) -> NoReturn:
        parts = self._group.devices if self._group.split else 1
        if split_further(self._problem, self._d, parts, self._session):
            self._note(f"split over more devices than {parts}")
            raise Replanned from error
        half = self._problem.split_memory(self._d, parts) / 2
        allowed = largest_size(self._problem, self._d, half, parts)
        hint = f"memory ran out with one trial at a time on {describe(self.devices)}"
        raise InputError("sizes", self._d, allowed, hint) from error

    def _note(self, change: str) -> None:
        note = f"memory ran out on {describe(self.devices)}: trials at d = {self._d} go on {change}"
        self._session.notes.append(note)
        warnings.warn(note, RuntimeWarning, stacklevel=2)
