"""Why features stand in columns, and why W is longer than it need be: what XLA makes of it on one core.

    python benchmarks/layouts.py

products    F F^T for F of shape (1024, 1024) in float32, and F^T F: the same flops, summed over what is read
            along, or across
features    tanh(W x^T / sqrt d), 1,024 features of 1,024 samples at d = 256, beside W x^T alone: with a tanh
            that XLA may write over its argument, and with one that it may not, since W has eight more rows
            (`models/denoising/random_features.py`)

One core and one CPU device, compiled as trials are. Medians of 25, ways in turn. In results/layouts.csv.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from common import facts, store  # noqa: E402

from simdiff.engine.compilation import FAST_CPU_COMPILATION  # noqa: E402
from simdiff.functions import activation  # noqa: E402
from simdiff.models.denoising.random_features import feature_columns  # noqa: E402
from simdiff.parts.jax_settings import pinned  # noqa: E402

SIDE, D, REPEATS = 1024, 256, 25


def in_place(w: jax.Array, x: jax.Array) -> jax.Array:
    """As one would write it."""
    return jnp.tanh(w @ x.T / jnp.sqrt(jnp.float32(D)))


def apart(w: jax.Array, x: jax.Array) -> jax.Array:
    """As trials do."""
    return feature_columns(activation("tanh"), w, x)


def ways() -> dict[str, tuple[Callable, tuple[jax.Array, ...]]]:
    """{name: (function, arguments)}."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape, np.float32))  # noqa: E731
    f, w, x = draw(SIDE, SIDE), draw(SIDE, D), draw(SIDE, D)
    return {
        "F F^T": (lambda f: f @ f.T, (f,)),
        "F^T F": (lambda f: f.T @ f, (f,)),
        "W x^T": (lambda w, x: w @ x.T, (w, x)),
        "tanh, in place": (in_place, (w, x)),
        "tanh, apart": (apart, (w, x)),
    }


def main() -> None:
    """Measure and store."""
    with pinned():
        programs = {
            name: (jax.jit(work).lower(*given).compile(compiler_options=FAST_CPU_COMPILATION), given)
            for name, (work, given) in ways().items()
        }
        spent: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(REPEATS):
            for name, (run, given) in programs.items():
                start = time.perf_counter()
                jax.block_until_ready(run(*given))
                spent[name].append(1e3 * (time.perf_counter() - start))
    table = pd.DataFrame(
        {"work": list(spent), "milliseconds": [statistics.median(each) for each in spent.values()]}
    )
    store("layouts", table, facts("python benchmarks/layouts.py", seed=0, cores=1))


if __name__ == "__main__":
    main()
