"""Steps per second of a network in trials, against a hand-written jitted loop of optax and one of PyTorch.

    python benchmarks/network_speed.py

All train a two-layer network (width 512, d = 64) by Adam in float32 on batches of 512 pairs of n = 256
samples with m = 4 fixed draws. Weights stand to the right of the batch, x @ w: XLA takes a fifth less time
for these products and their gradients than for w @ x (`network_step.py`). The loops draw plain random
numbers, keep all pairs in memory and measure nothing; trials address their numbers by row, run as the engine
runs them and measure every metric at the end, all of which is in their time. Each way has a process of its
own that may use one core, then one that may use all of them: there the engine runs as many trials side by
side, and a loop spreads its products over threads. They take turns.

Steps are counted over all trials; numbers are medians over the turns. `cpu_ms` is what a step takes of
processor time, which other programs on the machine disturb less. A step is five products of 512 x 512 by 64,
10 B W d flops: `share` is what is reached of the rate of a float32 product of side 2000 that the way's own
library shows in the same turn. `over_optax` and `over_torch` are the trials' steps per second over those of a
loop. Where torch cannot be imported (SIMDIFF_TORCH_PYTHON names another interpreter) its rows are missing,
and nothing is stored. Stored in results/network_speed.csv.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

D, WIDTH, BATCH, N, M = 64, 512, 512, 256, 4
STEPS, TURNS, TIME, RATE = 250, 3, 0.2, 1e-3
FLOPS = 10.0 * BATCH * WIDTH * D
WAYS = ("trials", "optax", "torch")


def init(key: Any, d: int) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    first, second = jax.random.split(key)
    shapes = ((first, (d, WIDTH)), (second, (WIDTH, d)))
    return dict(zip("ab", (jax.random.normal(k, s, jnp.float32) / 8 for k, s in shapes), strict=True))


def apply(params: dict[str, Any], x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.tanh(x @ params["a"]) @ params["b"]


def trials() -> tuple[Callable[[], Any], int]:
    """A batch of trials as the engine runs it, and its steps."""
    import simdiff
    from simdiff.engine import prepare, spread_over_cores, trial_keys, trials_per_call

    spread_over_cores()  # as the command does
    problem = simdiff.DenoisingScoreMatching(
        model=simdiff.models.Network(init, apply, predicts="noise", extrapolates=True),
        trainer=simdiff.trainers.Optax("adam", RATE, STEPS, batch=BATCH, records=1),
        psi_n=N / D,
        m=M,
        t=TIME,
    )
    program, count = prepare(problem, D, 0), trials_per_call(problem, D)
    assert program is not None
    arguments = program.placed(trial_keys(problem, D, 0, range(count)), problem.kernel(D)[1])
    return lambda: program(*arguments), count * STEPS


def optax() -> tuple[Callable[[], Any], int]:
    """The same training as one would write it in JAX."""
    import jax
    import jax.numpy as jnp
    from optax import adam, apply_updates

    a, h, steps, optimiser = math.exp(-TIME), -math.expm1(-2 * TIME), 4 * STEPS, adam(RATE)

    def loss(params: Any, x_t: Any, z: Any) -> Any:
        return jnp.sum((z - jax.vmap(apply, (None, 0))(params, x_t)) ** 2) / (2 * BATCH)

    def run(key: Any) -> Any:
        data, noise, start, batches = jax.random.split(key, 4)
        x = jnp.repeat(jax.random.normal(data, (N, D), jnp.float32), M, axis=0)
        z = jax.random.normal(noise, x.shape, jnp.float32)
        x_t = a * x + math.sqrt(h) * z

        def step(state: Any, k: Any) -> Any:
            params, memory = state
            rows = jax.random.randint(jax.random.fold_in(batches, k), (BATCH,), 0, N * M)
            change, memory = optimiser.update(jax.grad(loss)(params, x_t[rows], z[rows]), memory, params)
            return (apply_updates(params, change), memory), None

        params = init(start, D)
        return jax.lax.scan(step, (params, optimiser.init(params)), jnp.arange(steps))[0]

    compiled = jax.jit(run).lower(jax.random.key(0)).compile()
    return lambda: jax.block_until_ready(compiled(jax.random.key(0))), steps


def torch() -> tuple[Callable[[], Any], int]:
    """The same training as one would write it in PyTorch."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    steps, network, (x_t, z) = 2 * STEPS, torch_network(), torch_pairs()
    optimiser = torch.optim.Adam(network.parameters(), RATE)

    def step() -> None:
        rows = torch.randint(N * M, (BATCH,))
        loss = ((z[rows] - network(x_t[rows])) ** 2).sum() / (2 * BATCH)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return lambda: [step() for _ in range(steps)], steps


def torch_network(bent: bool = True) -> Any:
    """Two layers, with or without tanh between them."""
    import torch

    first, second = torch.nn.Linear(D, WIDTH, bias=False), torch.nn.Linear(WIDTH, D, bias=False)
    return torch.nn.Sequential(first, *([torch.nn.Tanh()] if bent else []), second)


def torch_pairs() -> tuple[Any, Any]:
    """(x_t, z)."""
    import torch

    x, z = torch.randn(N, D).repeat_interleave(M, dim=0), torch.randn(N * M, D)
    return math.exp(-TIME) * x + math.sqrt(-math.expm1(-2 * TIME)) * z, z


def product(way: str, side: int = 2000) -> Callable[[], Any]:
    """A float32 product by the library of a way."""
    if way == "torch":
        import torch

        square = torch.randn(side, side)
        return lambda: square @ square
    import jax
    import jax.numpy as jnp

    square = jax.random.normal(jax.random.key(0), (side, side), jnp.float32)
    compiled = jax.jit(jnp.matmul).lower(square, square).compile()
    return lambda: jax.block_until_ready(compiled(square, square))


def rates(run: Callable[[], Any], count: float) -> tuple[float, float]:
    """How many a second, and a second of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return count / (time.perf_counter() - wall), count / (time.process_time() - processor)


def serve(way: str, cores: int) -> None:
    """Measure once for each line that comes in: steps, steps a processor second, product flops a second."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    run, steps = globals()[way]()
    multiply = product(way)
    run(), multiply()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*rates(run, steps), rates(multiply, 2 * 2000**3)[0], flush=True)


class Worker:
    """A process of a script that measures one way on so many cores."""

    def __init__(self, way: str, cores: int, script: Path = Path(__file__)) -> None:
        python = os.environ.get("SIMDIFF_TORCH_PYTHON", sys.executable) if way == "torch" else sys.executable
        words, pipe = [python, str(script), way, str(cores)], subprocess.PIPE
        self.way, self.cores, self.found = way, cores, list[tuple[float, ...]]()
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
        self.there = self._said() == "ready"

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def measure(self) -> None:
        """One turn."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        self.found.append(tuple(map(float, self._said().split())))

    def end(self) -> None:
        """Close it, and wait."""
        self._process.communicate()

    def row(self) -> dict[str, Any]:
        """Medians over the turns."""
        steps, by_processor, top = (statistics.median(column) for column in zip(*self.found, strict=True))
        share = statistics.median(steps * FLOPS / most for steps, _, most in self.found)
        row = {"cores": self.cores, "way": self.way, "steps_per_second": steps, "cpu_ms": 1e3 / by_processor}
        return row | {"product_gflops": top / 1e9, "share": share}


def measured(cores: int) -> list[dict[str, Any]]:
    """One row for each way on so many cores."""
    workers = [Worker(way, cores) for way in WAYS]
    there = [worker for worker in workers if worker.there]
    for _ in range(TURNS):
        for worker in there:
            worker.measure()
    for worker in workers:
        worker.end()
    rows = [worker.row() for worker in there]
    mine = rows[0]["steps_per_second"]
    ratio = lambda row, way: mine / row["steps_per_second"] if row["way"] == way else math.nan  # noqa: E731
    return [row | {f"over_{way}": ratio(row, way) for way in WAYS[1:]} for row in rows]


def main() -> None:
    """Measure on one core and on all, and store."""
    import pandas as pd
    from common import facts, store

    every = sorted({1, len(os.sched_getaffinity(0))})
    table = pd.DataFrame([row for cores in every for row in measured(cores)])
    print(table.to_string(index=False))
    if "torch" in {*table["way"]}:
        about = {"seed": 0, "d": D, "width": WIDTH, "batch": BATCH, "steps": STEPS, "dtype": "float32"}
        store("network_speed", table, facts("python benchmarks/network_speed.py", **about), quiet=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
