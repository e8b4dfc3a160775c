"""The probability flow of a learned score in fixed steps, for many models and samples at once.

dx/dt = -beta x - D s(x, t) from x ~ N(0, sig2(t_max)) at t_max down to t_min. A model is evaluated where the
samples are, never on a grid; blocks of models and samples keep the memory small whatever their numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import check_integer, check_type
from simdiff.sampling.diffusions import Diffusion, Level

BLOCK = 16384
"""Rows of samples that are integrated together: enough to make starting a step cheap, and still in cache."""

_MOST_STEPS = 10**7

Coordinates = tuple[Array, ...]
"""D coordinates of n samples, (n,) each."""


class FlowSteps(NamedTuple):
    """Steps from t_max to t_min, each from t to t - dt; `level` holds the coefficients at t, all (steps,)."""

    t: Float[Array, " k"]
    dt: Float[Array, " k"]
    level: Level


def flow_steps(schedule: Diffusion, steps: int) -> FlowSteps:
    """`steps` steps, equal along the schedule's grid of times.

    Raises:
        InputError: a schedule that is no `Diffusion`, or steps that are no integer from 1 to 10^7.
    """
    check_type("schedule", schedule, Diffusion)
    steps = check_integer("steps", steps, least=1, most=_MOST_STEPS)
    times = schedule.time(jnp.linspace(1.0, 0.0, steps + 1, dtype=jnp.float64))
    t = times[:-1]
    return FlowSteps(t, t - times[1:], schedule.level(t))


def to_score(target: str, output: Coordinates, x: Coordinates, level: Level) -> Coordinates:
    """The score that a model's output implies at x."""
    if target == "score":
        return output
    return tuple((level.alpha * o - c) / level.sig2 for o, c in zip(output, x, strict=True))


def euler_flow(
    score: Callable[[FlowSteps, Coordinates], Coordinates], steps: FlowSteps, x: Coordinates
) -> Coordinates:
    """x carried from t_max to t_min by Euler's method; `score(step, x)` with one of the `steps`."""
    steps = jax.tree.map(lambda part: part.astype(x[0].dtype), steps)

    def take(x: Coordinates, step: FlowSteps) -> tuple[Coordinates, None]:
        beta, D, s = step.level.beta, step.level.D, score(step, x)
        return tuple(c + step.dt * (beta * c + D * g) for c, g in zip(x, s, strict=True)), None

    return jax.lax.scan(take, x, steps)[0]


def sample_models(
    library: Any,
    weights: Any,
    steps: FlowSteps,
    span: Any,
    key: Array,
    samples: int,
    first: Array | int = 0,
) -> Float[Array, "G n O"]:
    """`samples` samples of each of G models, in the arithmetic of `weights`; pure JAX, to be jitted.

    Model i uses the random numbers of (key, first + i); the block sizes do not change them.

    Args:
        library: a family of models (`at`, `target`).
        weights: what training left: W of every model, or a pytree whose first array is (G, O, ...).
        steps: of `flow_steps`.
        span: (t_min, t_max), which features of time need.
        key: random key.
        samples: samples per model.
        first: index of the first model.
    """
    first_array = jax.tree.leaves(weights)[0]
    models, width = first_array.shape[:2]
    kind = first_array.dtype
    rows = min(samples, BLOCK)
    pieces = -(-samples // rows)
    together = max(1, BLOCK // rows)
    start = jnp.sqrt(steps.level.sig2[0]).astype(kind)

    def model(at: tuple[Array, Any]) -> Array:
        index, w = at
        stream = jax.random.fold_in(key, index)

        def piece(number: Array) -> Array:
            z = normal_rows(stream, number * rows + jnp.arange(rows), width).astype(kind)
            moved = euler_flow(
                lambda step, x: model_score(library, w, step, x, span), steps, tuple(start * z.T)
            )
            return jnp.stack(moved, axis=1)

        return jax.lax.map(piece, jnp.arange(pieces)).reshape(-1, width)[:samples]

    index = first + jnp.arange(models)
    if together == 1:
        return jax.lax.map(model, (index, weights))
    return jax.lax.map(model, (index, weights), batch_size=min(together, models))


@functools.partial(jax.jit, static_argnums=(0, 1))
def generate_samples(
    library: Any,
    samples: int,
    weights: Any,
    steps: FlowSteps,
    span: Any,
    key: Array,
    first: Array | int = 0,
) -> Float[Array, "G n O"]:
    """`sample_models`, compiled once for all models, times and seeds of a family."""
    return sample_models(library, weights, steps, span, key, samples, first)


def model_score(library: Any, weights: Any, step: FlowSteps, x: Coordinates, span: Any) -> Coordinates:
    """The score of one model at x, at one step."""
    output = library.at(weights, step.t, span)(x)
    return to_score(library.target, output, x, step.level)
