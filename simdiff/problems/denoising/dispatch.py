"""What a problem's parts are in a trial, by type: kernels, feature maps and evaluators register themselves.

A trainer of another package registers its kernel with `trial_kernel.register(Trainer)`, a model its feature
map with `feature_map.register(Model)`, a data law's sampler what evaluates networks on it with
`evaluator.register(Sampler)`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from simdiff.data.base import Sampler
from simdiff.errors import InputError
from simdiff.problem import Kernel, Problem
from simdiff.trainers.base import Trainer

Inputs = dict[str, Any]


@functools.singledispatch
def trial_kernel(
    trainer: Trainer, problem: Problem, d: int, program: Any, inputs: Mapping[str, Any]
) -> tuple[Kernel, Inputs]:
    """The kernel that trains so, and its inputs: those of the program, and the trainer's own.

    Raises:
        InputError: there is none, or the trainer cannot be used at this size.
    """
    hint = "trial_kernel.register gives it one"
    raise InputError("trainer", type(trainer).__name__, "a trainer with a kernel", hint)


@functools.singledispatch
def feature_map(model: Any) -> Any:
    """The `TrialMap` of a model: a `FeatureMap` where training is linear.

    Raises:
        InputError: there is none.
    """
    hint = "feature_map.register gives it one"
    raise InputError("model", type(model).__name__, "a model with a feature map", hint)


@functools.singledispatch
def evaluator(sampler: Sampler, program: Any, setup: Any) -> Any:
    """The `Evaluator` of networks trained on samples of this kind."""
    raise TypeError(f"no evaluator for {type(sampler).__name__}")


def evaluator_of(program: Any, setup: Any) -> Any:
    """The evaluator of a trial's data law and network."""
    return evaluator(program.sampler, program, setup)


@functools.singledispatch
def network_evaluator(sampler: Sampler, trial: Any) -> Any:
    """A function {metric: scalar} of what is trained in a `network_kernel.Trial` on samples of this kind."""
    raise TypeError(f"no evaluator of networks for {type(sampler).__name__}")
