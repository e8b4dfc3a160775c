"""Metrics of a trained network that are declared and measured in one place.

The errors that every trial has come out of what training computes, and are declared in `metrics`. Anything
else that is asked of a second layer B is a `Measurement`: registered as `@register("metric", name)`, it is
measured in the trials of every trainer, at every recorded time, wherever it applies.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.data import DataLaw
from simdiff.parts import registry
from simdiff.problem import Metric
from simdiff.problems.denoising.training_path import TrainingPath


class Measurement(abc.ABC):
    """A metric, where it applies, and how it is measured; subclasses have no arguments."""

    metric: ClassVar[Metric]

    @classmethod
    def applies(cls, data: DataLaw) -> bool:
        """Whether trials on such data have it."""
        return True

    @abc.abstractmethod
    def of(self, program: Any, setup: Any, b: Float[Array, "d p"]) -> Float[Array, ""]:
        """The metric of the network B.

        Args:
            program: the `TrialProgram`; its methods give rows of features and targets, `shape` has d and p.
            setup: the trial's random objects.
            b: the trained map from features to -z; of devices that share the features, this one's columns,
                which `program.columns.total` sums over.
        """


Measurements = tuple[type[Measurement], ...]


def measurements(data: DataLaw) -> Measurements:
    """Those that apply to such data, by name."""
    found: list[Any] = [part.factory for part in registry.parts("metric").values()]
    return tuple(kind for kind in found if kind.applies(data))


def measured(chosen: Measurements, program: Any, setup: Any, b: Float[Array, "d p"]) -> dict[str, Array]:
    """{metric: scalar} of one network."""
    return {kind.metric.name: kind().of(program, setup, b) for kind in chosen}


def measured_along(chosen: Measurements, program: Any, setup: Any, path: TrainingPath) -> dict[str, Array]:
    """{metric: (times,)} of the networks on a path, one after the other."""
    if not chosen:
        return {}
    times = jnp.arange(path.phi.shape[1])
    return jax.lax.map(lambda k: measured(chosen, program, setup, path.network(k)), times)
