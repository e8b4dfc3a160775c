"""Losses and divergences at 50 noise levels, 10 ridges and 20 stopping times from one eigendecomposition.

    python benchmarks/linear_path.py

d = 2,048, N = 4,096, DDPM with 50 steps, both divergences. Compared with one eigendecomposition of a matrix
of that size (float64, the same library) in the same run: median of 3 of each, in turn, compilation not
counted. Drawing the samples and their Gram matrix are part of it. Stored in results/linear_path.csv.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import PowerLaw
from simdiff.problems.linear_chain.kernel import SamplingKernel
from simdiff.sampling import DDPM
from simdiff.trainers import GradientFlow

D, REPEATS = 2048, 3
RIDGES = tuple(np.geomspace(1e-3, 1.0, 10))
TIMES = tuple(np.geomspace(0.1, 1e4, 20))


def problem() -> simdiff.LinearSampling:
    """The problem of the benchmark."""
    trainer = GradientFlow(TIMES)
    return simdiff.LinearSampling(PowerLaw(1.0), trainer, DDPM(50, 1e-3, 0.2), psi_n=2.0, samples=0)


def main() -> None:
    """Time both in turn."""
    x = np.random.default_rng(0).standard_normal((D, D))
    gram, decompose = jnp.asarray(x @ x.T / D), jax.jit(jnp.linalg.eigh)
    jax.block_until_ready(decompose(gram))
    at = problem()
    kernel, inputs = at.kernel(D)
    run = jax.jit(SamplingKernel.along, static_argnums=0)
    values = jax.tree.map(jnp.asarray, inputs | {"ridges": np.asarray(RIDGES)})
    jax.block_until_ready(run(kernel, jax.random.key(0), values))
    times: dict[str, list[float]] = {"path": [], "eigh": []}
    for repeat in range(1, REPEATS + 1):
        key = jax.random.key(repeat)
        for name, call in (("path", lambda: run(kernel, key, values)), ("eigh", lambda: decompose(gram))):  # noqa: B023
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - start)
    path, eigh = (float(np.median(times[name])) for name in ("path", "eigh"))
    row = {"d": D, "N": 2 * D, "levels": 50, "ridges": len(RIDGES), "times": len(TIMES)}
    row |= {"seconds": path, "eigendecomposition": eigh, "ratio": path / eigh}
    store("linear_path", pd.DataFrame([row]), facts("python benchmarks/linear_path.py"))


if __name__ == "__main__":
    main()
