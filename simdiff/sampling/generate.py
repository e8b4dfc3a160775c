"""Real samples: the reverse process run step by step with any denoiser."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.engine.random_numbers import normal_rows
from simdiff.sampling.schedules import Steps

Samples = Float[Array, "*copies count width"]
Denoiser = Callable[[Int[Array, ""], Samples], Samples]
"""`denoiser(k, x)`: the noise predicted in x at step k of the plan, k = 0 the noisiest."""


def generate(
    denoiser: Denoiser,
    steps: Steps,
    key: Array,
    count: int,
    width: int,
    copies: tuple[int, ...] = (),
    batch: int = 1024,
) -> Samples:
    """Draw `count` samples of `width` coordinates, `batch` of them at a time; pure JAX, to be jitted.

    Every leading index of `copies` sees the same random numbers: chains of denoisers at several training
    times, say. Sample r depends on (key, r) and the denoiser, not on `count` or `batch`.
    """
    size = min(batch, count)
    rows = jnp.arange(-(-count // size) * size).reshape(-1, size)
    x = jax.lax.map(lambda index: _chain(denoiser, steps, key, index, width, copies), rows)
    return jnp.moveaxis(x, 0, -3).reshape(*copies, -1, width)[..., :count, :]


def _chain(
    denoiser: Denoiser, steps: Steps, key: Array, rows: Int[Array, " r"], width: int, copies: tuple[int, ...]
) -> Samples:
    def normals(stream: Array) -> Array:
        return normal_rows(jax.random.fold_in(key, stream), rows, width).astype(jnp.float64)

    def take(x: Samples, at: tuple[Array, Steps]) -> tuple[Samples, None]:
        k, step = at
        moved = step.keep * x + step.push * denoiser(k, x)
        return jax.lax.cond(step.noise > 0, lambda: moved + step.noise * normals(k), lambda: moved), None

    plan = jax.tree.map(jnp.asarray, steps)
    count = plan.keep.size
    start = jnp.broadcast_to(normals(jnp.asarray(count)), (*copies, rows.size, width))
    return jax.lax.scan(take, start, (jnp.arange(count), plan))[0]
