"""The naive estimator: the probability flow driven by noisy proxy scores instead of the score.

At a step of length dt the score is replaced by s + sqrt(kappa / dt) (s~ - s), s~ = (alpha x_0 - x) / sig2
with a new x_0 drawn from what x says about it. kappa = 0 is the exact flow, which ends on the points.

Source: arXiv 2504.12532, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import InputError, check_integer, check_number, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.sampling.flow import FlowSteps
from simdiff.sampling.proxy import Posterior, posterior

Noise = Callable[[Array, Posterior, Array], Array]
"""noise(key, posterior, points) -> (n, D) with mean 0 and, given x, the covariance of x_0."""

MOST_SAMPLES = 2**31 - 1
"""Of one call: what an index of an array can count."""


@with_pinned_settings
def naive_samples(
    points: Any, steps: FlowSteps, kappa: float, key: Array, samples: int
) -> Float[Array, "n D"]:
    """Samples of the naive estimator, float64.

    Args:
        points: a `PointMasses`.
        steps: of `flow_steps`.
        kappa: noise strength, >= 0.
        key: a key of `jax.random.key`.
        samples: how many, at least 1.

    Raises:
        InputError: another argument.
    """
    if not callable(getattr(points, "arrays", None)):
        raise InputError("points", points, "a PointMasses")
    check_type("steps", steps, FlowSteps, "flow_steps(schedule, number) makes them")
    kappa = check_number("kappa", kappa, least=0)
    samples = check_integer("samples", samples, least=1, most=MOST_SAMPLES)
    if not (
        hasattr(key, "dtype") and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0
    ):
        raise InputError("key", key, "one key, as jax.random.key(0) makes it")
    return noisy_flow(points, steps, kappa, key, samples, drawn_point)


def drawn_point(key: Array, known: Posterior, points: Array) -> Array:
    """x_0 - E[x_0 | x] of one draw."""
    chosen = jax.random.categorical(key, jnp.log(known.probabilities), axis=-1)
    return points[chosen] - known.mean


def noisy_flow(
    points: Any, steps: FlowSteps, kappa: float, key: Array, samples: int, noise: Noise
) -> Float[Array, "n D"]:
    """The exact flow with noise sqrt(kappa dt) D (alpha / sig2) `noise` added at every step."""
    places, weights = (jnp.asarray(part) for part in points.arrays())
    return _run(places, weights, steps, jnp.asarray(kappa), key, samples, noise)


def _moved(
    points: Array, weights: Array, kappa: Array, noise: Noise, x: Array, step: FlowSteps, key: Array
) -> Array:
    level = step.level
    known = posterior(points, weights, x, level.alpha, level.sig2)
    score = known.pull / level.sig2
    strength = jnp.sqrt(kappa * step.dt) * level.D * level.alpha / level.sig2
    drift = level.beta * x + level.D * score
    return x + step.dt * drift + strength * noise(key, known, points)


def _integrate(
    points: Array, weights: Array, steps: FlowSteps, kappa: Array, key: Array, samples: int, noise: Noise
) -> Array:
    def take(x: Array, at: tuple[FlowSteps, Array]) -> tuple[Array, None]:
        step, number = at
        return _moved(points, weights, kappa, noise, x, step, jax.random.fold_in(key, number)), None

    z = normal_rows(key, jnp.arange(samples), points.shape[1]).astype(jnp.float64)
    start = jnp.sqrt(steps.level.sig2[0]) * z
    return jax.lax.scan(take, start, (steps, jnp.arange(steps.t.size)))[0]


_run = jax.jit(_integrate, static_argnums=(5, 6))
