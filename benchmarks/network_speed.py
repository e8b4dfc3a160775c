"""Steps per second of a network in a trial, against a hand-written jitted loop of optax.

    python benchmarks/network_speed.py

Both train a two-layer network (width 512, d = 64) by Adam on batches of 512 pairs of n = 256 samples with
m = 4 fixed draws, and take turns. The loop draws plain random numbers, keeps all pairs in memory and measures
nothing; the trial addresses its numbers by row and measures every metric at the end. `ratio` is the trial's
rate over the loop's. Stored in results/network_speed.csv.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pandas as pd
from common import facts, store

import simdiff
from simdiff.parts.jax_settings import pinned

D, WIDTH, BATCH, STEPS, TURNS = 64, 512, 512, 600, 5
TIME = 0.2


def init(key: Any, d: int) -> dict[str, Any]:
    first, second = jax.random.split(key)
    shapes = ((first, (WIDTH, d)), (second, (d, WIDTH)))
    return dict(zip("ab", (jax.random.normal(k, s, jnp.float32) / 8 for k, s in shapes), strict=True))


def apply(params: dict[str, Any], x: Any) -> Any:
    return params["b"] @ jnp.tanh(params["a"] @ x)


def trial() -> Callable[[], Any]:
    """One trial as the engine compiles it, without a batch around it."""
    problem = simdiff.DenoisingScoreMatching(
        model=simdiff.models.Network(init, apply, predicts="noise", extrapolates=True),
        trainer=simdiff.trainers.Optax("adam", 1e-3, STEPS, batch=BATCH, records=1),
        psi_n=4.0,
        m=4,
        t=TIME,
    )
    with pinned():
        kernel, inputs = problem.kernel(D)
        arrays = jax.tree.map(jnp.asarray, inputs)
        run = jax.jit(kernel).lower(jax.random.key(0), arrays).compile()
    return lambda: run(jax.random.key(0), arrays)


def loop() -> Callable[[], Any]:
    """The same training as one would write it."""
    a, h, n, m = math.exp(-TIME), -math.expm1(-2 * TIME), 4 * D, 4
    optimiser = optax.adam(1e-3)

    def loss(params: Any, x_t: Any, z: Any) -> Any:
        return jnp.sum((z - jax.vmap(apply, (None, 0))(params, x_t)) ** 2) / (2 * BATCH)

    def run(key: Any) -> Any:
        data, noise, start, batches = jax.random.split(key, 4)
        x = jnp.repeat(jax.random.normal(data, (n, D), jnp.float32), m, axis=0)
        z = jax.random.normal(noise, x.shape, jnp.float32)
        x_t = a * x + math.sqrt(h) * z

        def step(k: Any, state: Any) -> Any:
            params, memory = state
            rows = jax.random.randint(jax.random.fold_in(batches, k), (BATCH,), 0, n * m)
            change, memory = optimiser.update(jax.grad(loss)(params, x_t[rows], z[rows]), memory, params)
            return optax.apply_updates(params, change), memory

        params = init(start, D)
        return jax.lax.fori_loop(0, STEPS, step, (params, optimiser.init(params)))[0]

    compiled = jax.jit(run).lower(jax.random.key(0)).compile()
    return lambda: compiled(jax.random.key(0))


def main() -> None:
    """Measure in turns and store."""
    ways = {"trial": trial(), "loop": loop()}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(run())
            if turn:  # the first one warms up
                spent[name].append(time.perf_counter() - start)
    rates = {name: STEPS / statistics.median(seconds) for name, seconds in spent.items()}
    rows = [{"way": name, "steps_per_second": rate} for name, rate in rates.items()]
    table = pd.DataFrame(rows).assign(ratio=rates["trial"] / rates["loop"])
    print(table.to_string(index=False))
    about = facts("python benchmarks/network_speed.py", seed=0, d=D, width=WIDTH, batch=BATCH, steps=STEPS)
    store("network_speed", table, about)


if __name__ == "__main__":
    main()
