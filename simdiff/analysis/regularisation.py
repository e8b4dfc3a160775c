"""Linear diffusion models at many ridges and training times: one eigendecomposition a training set."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from simdiff import engine
from simdiff.errors import InputError, check_integer, check_number, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import MOST_TRIALS
from simdiff.problems import LinearSampling
from simdiff.problems.linear_chain.kernel import SamplingKernel


@with_pinned_settings
def regularisation_path(
    problem: LinearSampling, ridges: Sequence[float], d: int = 200, trials: int = 1, seed: int = 0
) -> pd.DataFrame:
    """Losses and divergences of simulated trials at every ridge and, with a gradient flow, every time.

    Args:
        problem: its trainer's times are used, its ridge is not. Training sets are those that
            `simdiff.simulate` draws for this problem.
        ridges: one or more, >= 0; above 0 where divergences would be infinite without.
        d: size.
        trials: training sets.
        seed: of the trials.

    Returns:
        One row per trial, ridge and time: d, trial, seed, ridge, [time], metrics.

    Raises:
        InputError: another problem, no ridge, a negative one, or a bad size, number of trials or seed.
    """
    check_type("problem", problem, LinearSampling)
    checked = _check_ridges(ridges)
    d = check_integer("d", d, least=1)
    engine.check_memory(problem, d)
    kernel, inputs = problem.kernel(d, "float64")
    values = jax.tree.map(jnp.asarray, inputs | {"ridges": np.asarray(checked)})
    numbers = range(check_integer("trials", trials, least=1, most=MOST_TRIALS))
    run = jax.jit(SamplingKernel.along, static_argnums=0)
    keys = engine.trial_keys(problem, d, engine.check_seed(seed), numbers)
    found = [_rows(run(kernel, key, values), checked, problem.times) for key in keys]
    table = pd.concat([rows.assign(trial=i) for i, rows in zip(numbers, found, strict=True)])
    table.insert(0, "d", d)
    table.insert(1, "trial", table.pop("trial"))
    table.insert(2, "seed", seed)
    return table.reset_index(drop=True)


def _rows(
    found: dict[str, jax.Array], ridges: Sequence[float], times: tuple[float, ...] | None
) -> pd.DataFrame:
    """A row a ridge and time from (ridges, times) arrays."""
    spans = {"ridge": np.repeat(ridges, len(times or (0,)))}
    if times is not None:
        spans["time"] = np.tile(times, len(ridges))
    return pd.DataFrame({**spans, **{name: np.asarray(value).ravel() for name, value in found.items()}})


def _check_ridges(ridges: Sequence[float]) -> tuple[float, ...]:
    if isinstance(ridges, str) or not isinstance(ridges, (Sequence, np.ndarray)) or len(ridges) == 0:
        raise InputError("ridges", ridges, "numbers >= 0, at least one", "as in [1e-3, 1e-2, 0.1]")
    return tuple(check_number("ridges", ridge, least=0) for ridge in ridges)
