"""The state of long trials, kept while they run, so that a killed process is followed by one that goes on.

A checkpoint belongs to one batch of trials. It has an identity, everything that the numbers depend on to the
bit; one of another identity is left alone. Where it is kept is the store's affair (`Keeper`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from simdiff.engine.devices import describe
from simdiff.engine.session import SESSION, Session
from simdiff.errors import check_number
from simdiff.parts.jax_settings import settings_text
from simdiff.problem import Problem

USUAL_SECONDS = 60.0
"""Between two checkpoints, where nothing else is asked for."""


@runtime_checkable
class Keeper(Protocol):
    """Where the states of one point's trials are kept."""

    def load(self, name: str, identity: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """The arrays kept under a name; None: there are none, or they are torn or of another identity."""

    def save(self, name: str, identity: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays in place of those of that name."""

    def drop(self, name: str) -> None:
        """Forget what is kept under a name, if anything is."""

    def clear(self, d: int, seed: int, finished: Collection[int]) -> None:
        """Forget what is kept of batches all of whose trials are stored."""


def use_checkpoints(seconds: Any, session: Session = SESSION) -> None:
    """Keep the state of trials that train step by step every so many seconds from now on.

    None, the default: every minute, and only of trials that take long. No number depends on it.

    Raises:
        InputError: not a number above 0.
    """
    session.checkpoint = None if seconds is None else check_number("checkpoint", seconds, above=0)


@dataclasses.dataclass
class Slot:
    """The place of one batch of trials.

    Attributes:
        keeper: None where nothing is kept, in memory say.
        seconds: spent on the batch by the processes before this one.
    """

    keeper: Keeper | None
    name: str
    identity: Mapping[str, Any]
    seconds: float = 0.0

    def load(self, like: Sequence[jax.ShapeDtypeStruct]) -> tuple[list[np.ndarray], int] | None:
        """(arrays of these shapes and types, steps that are done), if they are kept."""
        kept = self.keeper.load(self.name, self._identity(like)) if self.keeper else None
        if kept is None:
            return None
        self.seconds = float(kept["seconds"])
        arrays = [kept[str(k)].view(one.dtype).reshape(one.shape) for k, one in enumerate(like)]
        return arrays, int(kept["step"])

    def save(self, state: Sequence[jax.Array], step: int, seconds: float) -> None:
        """Keep a state; `seconds` were spent on it by this process."""
        if self.keeper is None:
            return
        bits = {str(k): np.frombuffer(np.asarray(one).tobytes(), np.uint8) for k, one in enumerate(state)}
        about = {"step": np.asarray(step), "seconds": np.asarray(self.seconds + seconds)}
        self.keeper.save(self.name, self._identity(state), bits | about)

    def drop(self) -> None:
        """The trials are stored."""
        if self.keeper is not None:
            self.keeper.drop(self.name)

    def _identity(self, state: Sequence[Any]) -> dict[str, Any]:
        return {**self.identity, "state": [f"{one.dtype}{list(one.shape)}" for one in state]}


def slot(
    keeper: Keeper | None,
    problem: Problem,
    d: int,
    seed: int,
    trials: Sequence[int],
    order: Sequence[int],
    dtype: str,
    devices: tuple[jax.Device, ...],
) -> Slot:
    """The place of these trials of a batch, with all that their bits depend on.

    `order`: all trials of the batch, as they lie in the arrays of a state.
    """
    if keeper is None:
        return Slot(None, "", {})
    identity = {
        "problem": problem.digest(),
        "d": d,
        "seed": seed,
        "trials": [int(trial) for trial in trials],
        "order": [int(trial) for trial in order],
        "dtype": problem.arithmetic(dtype),
        "times": [] if problem.times is None else [float(time) for time in problem.times],
        "device": describe(devices),
        "settings": settings_text(),
        "jax": jax.__version__,
    }
    return Slot(keeper, f"d{d}-s{seed}-{trials[0]}-{trials[-1]}", identity)
