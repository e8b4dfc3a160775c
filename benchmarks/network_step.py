"""Where the time of a training step goes: of `network_speed.py`, on one core, piece by piece taken away.

    python benchmarks/network_step.py

The loop of optax is measured with its weights to the right of the batch (x @ w, as `network_speed.py` has it)
and to the left (w @ x), and that of PyTorch: whole; on one batch for all steps, so that nothing is drawn or
gathered; by plain gradient descent in place of Adam; and with tanh left out. What is left then are the five
products. Each way has a process of its own, and they take turns; numbers are medians over the turns, of
milliseconds of processor time per step, which other programs on the machine disturb less than wall time.
`at_peak_ms` is what the products would take at the rate of a product of side 2000 by the same library in the
same turn. Stored in results/network_step.csv; without torch (see `network_speed.py`) nothing is.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from network_speed import BATCH, FLOPS, RATE, TIME, D, M, N, Worker, init, product, rates

STEPS, TURNS = 300, 5
WAYS = ("x @ w", "w @ x", "torch")
PIECES = ("drawing", "adam", "tanh")
"""Taken away one after another."""


def jax_loop(way: str, gone: tuple[str, ...]) -> Callable[[], Any]:
    """STEPS steps without these pieces."""
    import jax
    import jax.numpy as jnp
    from optax import adam, apply_updates, sgd

    bend = (lambda x: x) if "tanh" in gone else jnp.tanh
    optimiser = (sgd if "adam" in gone else adam)(RATE)
    right = lambda p, x: bend(x @ p["a"]) @ p["b"]  # noqa: E731
    left = lambda p, x: p["b"].T @ bend(p["a"].T @ x)  # noqa: E731
    network = right if way == "x @ w" else left

    def loss(params: Any, x_t: Any, z: Any) -> Any:
        return jnp.sum((z - jax.vmap(network, (None, 0))(params, x_t)) ** 2) / (2 * BATCH)

    def run(key: Any) -> Any:
        x_t, z, start = pairs(key)

        def step(state: Any, k: Any) -> Any:
            params, memory = state
            rows = jax.random.randint(jax.random.fold_in(key, k), (BATCH,), 0, N * M)
            batch = (x_t[:BATCH], z[:BATCH]) if "drawing" in gone else (x_t[rows], z[rows])
            change, memory = optimiser.update(jax.grad(loss)(params, *batch), memory, params)
            return (apply_updates(params, change), memory), None

        return jax.lax.scan(step, (start, optimiser.init(start)), jnp.arange(STEPS))[0]

    compiled = jax.jit(run).lower(jax.random.key(0)).compile()
    return lambda: jax.block_until_ready(compiled(jax.random.key(0)))


def pairs(key: Any) -> tuple[Any, Any, Any]:
    """(x_t, z, parameters at the start)."""
    import jax
    import jax.numpy as jnp

    data, noise, start = jax.random.split(key, 3)
    x = jnp.repeat(jax.random.normal(data, (N, D), jnp.float32), M, axis=0)
    z = jax.random.normal(noise, x.shape, jnp.float32)
    return math.exp(-TIME) * x + math.sqrt(-math.expm1(-2 * TIME)) * z, z, init(start, D)


def torch_loop(gone: tuple[str, ...]) -> Callable[[], Any]:
    """The same in PyTorch."""
    import torch
    from network_speed import torch_network, torch_pairs

    torch.set_num_threads(1)
    network, (x_t, z) = torch_network("tanh" not in gone), torch_pairs()
    kind = torch.optim.SGD if "adam" in gone else torch.optim.Adam
    optimiser = kind(network.parameters(), RATE)
    first = x_t[:BATCH], z[:BATCH]

    def step() -> None:
        rows = torch.randint(N * M, (BATCH,)) if "drawing" not in gone else None
        x, noise = first if rows is None else (x_t[rows], z[rows])
        loss = ((noise - network(x)) ** 2).sum() / (2 * BATCH)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return lambda: [step() for _ in range(STEPS)]


def serve(way: str) -> None:
    """For each line that comes in: milliseconds per step with fewer and fewer pieces, and product flops."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    left = [PIECES[:count] for count in range(len(PIECES) + 1)]
    runs = [torch_loop(gone) if way == "torch" else jax_loop(way, gone) for gone in left]
    multiply = product("torch" if way == "torch" else "jax")
    [run() for run in (*runs, multiply)]
    print("ready", flush=True)
    for _ in sys.stdin:
        steps = [1e3 / rates(run, STEPS)[1] for run in runs]
        print(*steps, rates(multiply, 2 * 2000**3)[1], flush=True)


def row(worker: Worker) -> dict[str, Any]:
    """Medians over the turns: of the whole, of each piece, of what is left, of products at the peak."""
    *steps, top = zip(*worker.found, strict=True)
    median = statistics.median
    pieces = {
        f"{name}_ms": median(a - b for a, b in zip(steps[k], steps[k + 1], strict=True))
        for k, name in enumerate(PIECES)
    }
    whole, products = median(steps[0]), median(steps[-1])
    peak = median(1e3 * FLOPS / most for most in top)
    return {"way": worker.way, "whole_ms": whole, **pieces, "products_ms": products, "at_peak_ms": peak}


def main() -> None:
    """Measure and store."""
    import pandas as pd
    from common import facts, store

    workers = [Worker(way, 1, Path(__file__)) for way in WAYS]
    for _ in range(TURNS):
        for worker in workers:
            worker.measure() if worker.there else None
    for worker in workers:
        worker.end()
    table = pd.DataFrame([row(worker) for worker in workers if worker.there])
    print(table.to_string(index=False))
    if all(worker.there for worker in workers):
        about = {"seed": 0, "steps": STEPS, "turns": TURNS, "dtype": "float32"}
        store("network_step", table, facts("python benchmarks/network_step.py", **about), quiet=True)


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) > 1 else main()
