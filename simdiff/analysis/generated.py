"""What a network trained at all noise levels generates, to be looked at beside its training points."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, Int

from simdiff.engine import check_memory, check_seed, trial_keys
from simdiff.errors import check_integer, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import MOST_TRIALS
from simdiff.problems.network_sampling import NetworkSampling


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """The training sets of one trial, and the samples of the model of each; models see the same noise.

    Coordinates are those of the data law: `x @ data.basis()` are the pixels of images but for mean and scale.
    """

    points: Float[np.ndarray, "splits n d"]
    samples: Float[np.ndarray, "splits count d"]

    def nearest(self) -> Int[np.ndarray, "splits count"]:
        """The number of the training point that is nearest to each sample."""
        pairs = zip(self.points, self.samples, strict=True)
        return np.stack([[np.argmin(((x - one) ** 2).sum(axis=1)) for one in made] for x, made in pairs])


@with_pinned_settings
def generated_samples(
    problem: NetworkSampling, d: int | None = None, seed: int = 0, trial: int = 0
) -> Generated:
    """Train the networks of one trial through all steps and sample from them.

    The draws are those of the trial, whose metrics at the last step these samples have, up to what rounding
    (some 1e-7 per operation) grows to in training.

    Args:
        problem: the problem.
        d: the size; None: the only one that the data have, else 200, as for `simulate`.
        seed: that of the trial.
        trial: its index.

    Raises:
        InputError: another problem, a bad argument, or more memory needed than there is.
    """
    check_type("problem", problem, NetworkSampling)
    usual = 200 if problem.only_size is None else problem.only_size
    d = usual if d is None else check_integer("d", d, least=1)
    trial = check_integer("trial", trial, least=0, most=MOST_TRIALS - 1)
    keys = trial_keys(problem, d, check_seed(seed), [trial])
    kernel, inputs = problem.kernel(d)
    check_memory(problem, d, field="d")
    points, samples = jax.jit(kernel.generated)(keys[0], inputs)  # type: ignore[attr-defined]
    return Generated(np.asarray(points, np.float64), np.asarray(samples, np.float64))
