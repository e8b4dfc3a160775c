"""Generated samples against the exact recursion, and the error of taking T steps.

    python benchmarks/sampling_table.py

One data set (d = 16, N = 64, power law 1, ridge 0.02) and its linear denoisers. KL(sampled || target) per
dimension from the eigenvalue recursion, and from 32 batches of 4,000 samples generated step by step: each
batch's covariance is a Wishart matrix around the sampled one, whose effect on the KL is known exactly
(digammas) and taken off; at T > 400 nothing is generated. `error` is the recursion's KL minus that of
continuous time from the same horizon; `order` its exponent of 1/T between T and 2 T (none for DDPM, whose
levels change with T). Stored in results/sampling_table.csv.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common import facts, store
from scipy.special import digamma

from simdiff.data import PowerLaw
from simdiff.sampling import (
    DDPM,
    Exact,
    ProbabilityFlow,
    ReverseSDE,
    Schedule,
    Training,
    generate,
    spectral_functions,
)

D, N, RIDGE, SEED = 16, 64, 0.02, 0
BATCHES, COUNT = 32, 4000
STEPS = (25, 100, 400, 1600, 6400)
MOST = 400
HORIZON = 5.0


def training_set() -> tuple[np.ndarray, np.ndarray]:
    """(eigenvalues of Sigma, samples)."""
    s = PowerLaw(1.0).at_size(D).spectrum()[0]
    return s, np.random.default_rng(SEED).standard_normal((N, D)) * np.sqrt(s)


def kl(covariance: np.ndarray, s: np.ndarray) -> float:
    """KL(N(0, covariance) || N(0, diag s)) per dimension."""
    logs = np.linalg.slogdet(covariance)[1] - np.log(s).sum()
    return float(0.5 * (np.trace(covariance / s) - D - logs) / D)


def excess() -> float:
    """What replacing a covariance by the second moment of COUNT samples adds to the KL on average."""
    logs = digamma((COUNT - np.arange(D)) / 2).sum() + D * math.log(2 / COUNT)
    return float(-0.5 * logs / D)


def exact_kl(schedule: Schedule, s: np.ndarray, values: np.ndarray, vectors: np.ndarray) -> float:
    """By the recursion, or the closed form in continuous time."""
    found = spectral_functions(schedule.plan(), Training(np.asarray(RIDGE)), jnp.asarray(values))
    return kl((vectors * np.asarray(found.variance[0])) @ vectors.T, s)


def generated_kl(schedule: Schedule, s: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One estimate a batch of samples generated with the denoisers W = sqrt(h) (a^2 S + h + ridge)^{-1}."""
    plan = schedule.plan()
    eye = np.eye(D)
    maps = np.stack(
        [
            math.sqrt(h) * np.linalg.inv(a**2 * second + (h + RIDGE) * eye)
            for a, h in zip(plan.a, plan.h, strict=True)
        ]
    )
    weights = jnp.asarray(maps)

    @jax.jit
    def draw(key: jax.Array) -> jax.Array:
        return generate(lambda k, x: x @ weights[k], plan, key, COUNT, D)

    keys = jax.random.split(jax.random.key(SEED), BATCHES)
    samples = (np.asarray(draw(key)) for key in keys)
    return np.array([kl(x.T @ x / COUNT, s) - excess() for x in samples])


def schedules() -> Iterator[tuple[str, Callable[[int], Schedule], Schedule | None, tuple[int, ...]]]:
    """(name, T -> schedule, its limit, every T)."""
    for method in ("euler", "exponential"):
        limit = Exact("reverse", HORIZON)
        yield f"SDE, {method}", lambda t, method=method: ReverseSDE(t, HORIZON, method), limit, STEPS
    for method in ("euler", "exponential"):
        limit = Exact("flow", HORIZON)
        yield f"flow, {method}", lambda t, method=method: ProbabilityFlow(t, HORIZON, method), limit, STEPS
    yield "DDPM", DDPM, None, (50, 200, 400)


def table() -> pd.DataFrame:
    """A row a schedule and T."""
    s, x = training_set()
    second = x.T @ x / N
    modes = np.linalg.eigh(second)
    rows: list[dict[str, object]] = []
    for name, made, limit, counts in schedules():
        for steps in counts:
            recursion = exact_kl(made(steps), s, *modes)
            row = {"schedule": name, "steps": steps, "recursion": recursion}
            if steps <= MOST:
                row |= generated(made(steps), s, second, recursion)
            if limit is not None:
                end, twice = exact_kl(limit, s, *modes), exact_kl(made(2 * steps), s, *modes)
                row |= {"error": recursion - end}
                row |= {"order": math.log2(abs((recursion - end) / (twice - end)))}
            rows.append(row)
    return pd.DataFrame(rows)


def generated(schedule: Schedule, s: np.ndarray, second: np.ndarray, recursion: float) -> dict[str, float]:
    """Mean over batches, its standard error, and how far from the recursion it is."""
    drawn = generated_kl(schedule, s, second)
    stderr = float(drawn.std(ddof=1)) / math.sqrt(BATCHES)
    return {"generated": drawn.mean(), "stderr": stderr, "pull": (drawn.mean() - recursion) / stderr}


if __name__ == "__main__":
    store("sampling_table", table(), facts("python benchmarks/sampling_table.py", seed=SEED))
