"""The Bayes floor of a hidden manifold: state evolution against message passing at d = 400.

    python benchmarks/floor_table.py

tanh and the identity at psi_D in {0.25, 0.5, 1} and t in {0.05, 0.1, 0.5}. In each of TRIALS draws of M,
message passing denoises POINTS test points; `mse` is the mean of |z - E[z | x_t]|^2 / d, `variance` the mean
posterior variance (a^2/h) Var(x | x_t), which has no sampling noise of z, and `exact` the closed form given
M, for the identity. `theory` is the limit. Stored in results/floor_table.*.
"""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import facts, store

from simdiff.data import HiddenManifold
from simdiff.engine.random_numbers import normal_rows
from simdiff.problems.denoising.gamp import posterior
from simdiff.problems.denoising.output_channel import nodes_for
from simdiff.theory.denoising.bayes_floor import hidden_manifold_floor

SIZE, TRIALS, POINTS, SEED = 400, 4, 48, 0


def measure(data: HiddenManifold, t: float) -> dict[str, float]:
    """One row of the table."""
    a, h = math.exp(-t), -math.expm1(-2 * t)
    sampler, nodes = data.sampler(SIZE), nodes_for(data.nonlinearity, t)
    inputs = jax.tree.map(jnp.asarray, data.inputs(SIZE))

    @jax.jit
    def trial(key: jax.Array) -> dict[str, jax.Array]:
        frame_key, sample_key, noise_key = jax.random.split(key, 3)
        frame, rows = sampler.frame(frame_key, inputs), jnp.arange(POINTS)
        z = normal_rows(noise_key, rows, SIZE)
        y = a * (sampler.sample(sample_key, frame, rows) + frame.shift.astype(z.dtype)) + math.sqrt(h) * z
        wide = jnp.asarray(a, z.dtype), jnp.asarray(h, z.dtype)
        found = posterior(y, frame.factor, data.nonlinearity, *wide, nodes)
        error = jnp.mean((z - (y - a * found.mean) / math.sqrt(h)) ** 2, axis=1)
        gram = frame.factor.astype(jnp.float64) @ frame.factor.astype(jnp.float64).T
        exact = 1.0 - jnp.mean(h / (a**2 * jnp.linalg.eigvalsh(gram) + h))
        variance = a**2 / h * jnp.mean(found.variance, axis=1)
        return {"mse": error, "variance": variance, "good": found.converged, "exact": exact}

    runs = [jax.tree.map(np.asarray, trial(key)) for key in jax.random.split(jax.random.key(SEED), TRIALS)]
    means = {name: np.array([run[name][run["good"]].mean() for run in runs]) for name in ("mse", "variance")}
    linear = data.nonlinearity.name == "identity"
    theory = hidden_manifold_floor(data.nonlinearity, data.psi_D, t)
    row = {"theory": theory, "mse": means["mse"].mean(), "mse_stderr": spread(means["mse"])}
    row |= {"variance": means["variance"].mean(), "variance_stderr": spread(means["variance"])}
    row |= {"variance_deviation": row["variance"] / theory - 1, "mse_deviation": row["mse"] / theory - 1}
    exact = np.mean([run["exact"] for run in runs]) if linear else math.nan
    lost = sum(int((~run["good"]).sum()) for run in runs)
    return row | {"exact": exact, "variance_over_exact": row["variance"] / exact - 1, "unconverged": lost}


def spread(values: np.ndarray) -> float:
    """Standard error of the mean over trials."""
    return float(values.std(ddof=1) / math.sqrt(len(values)))


if __name__ == "__main__":
    rows = []
    for name, psi_D, t in itertools.product(("tanh", "identity"), (0.25, 0.5, 1.0), (0.05, 0.1, 0.5)):
        row = {"nonlinearity": name, "psi_D": psi_D, "t": t, **measure(HiddenManifold(psi_D, name), t)}
        rows.append(row)
        print({k: v if isinstance(v, str) else f"{v:.5g}" for k, v in row.items()}, flush=True)
    about = facts("python benchmarks/floor_table.py", seed=SEED, d=SIZE, trials=TRIALS, points=POINTS)
    store("floor_table", pd.DataFrame(rows), about)
