"""The averaged learned distribution of an ensemble of linear diffusion models, without training any.

Averaged over training sets, samples follow dx/dt = -beta x - D (s_avg(x, t) + xi(x, t)) with a Gaussian
field xi whose covariance is the V-kernel V(x, t; x', t') = Cov[s^(x, t), s^(x', t')]. For linear models V has
finite rank, c c' phi^T Cov(W) phi' with c = alpha / sig2 for a denoiser and 1 for a score, so xi is simulated
by one draw of W for each trajectory, from `weight_law`, to first order or corrected. Trajectories share a
W in small groups, which changes no average. What remains is a Monte-Carlo error of the theory's own, from
`MODELS` draws with `SAMPLES` samples each.

W is taken to be Gaussian, as the source does by keeping two cumulants. At P of the order of F the corrected
law's moments are right to some per cent, but trained weights are not Gaussian, and the share in gaps comes
out too large.

Source: arXiv 2504.12532, sections 4 and 5.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.sampling.flow import flow_steps, generate_samples
from simdiff.sampling.observables import sample_means
from simdiff.theory.ensemble import flow_law, weight_law
from simdiff.theory.ensemble.tangent_basis import in_features
from simdiff.theory.ensemble.training_law import TrainingLaw, training_law
from simdiff.theory.ensemble.weight_law import WeightLaw
from simdiff.theory.protocols import Ensemble, is_minimum

MODELS = 16384
SAMPLES = 16
CHUNK = 2048
"""Models whose weights are drawn at once."""


class ExpansionWarning(UserWarning):
    """The law of the weights does not hold at this point; its predictions are nan."""


@register("theory", "effective_dynamics")
def predict(problem: Any) -> dict[str, float]:
    """Averages over the ensemble at P = `problem.size`, by the corrected law; P = infinity where it is None.

    Reads `data`, `model`, `schedule`, `trainer`, `weight`, `steps`, `gap_radius` and `size`. Where the law
    gives a negative train error everything is nan, with an `ExpansionWarning`.

    Raises:
        InputError: a problem of another kind.
    """
    return _predict(problem, weight_law.corrected)


@register("theory", "effective_dynamics_first_order")
def first_order(problem: Any) -> dict[str, float]:
    """The same by the first-order law, good at P much larger than the number of features."""
    return _predict(problem, weight_law.first_order)


def _predict(problem: Ensemble, order: Any) -> dict[str, float]:
    law = law_of(problem, order)
    losses = {"train": law.train, "test": law.test}
    names = [metric.name for metric in problem.metrics]
    if law.train < 0.0:
        _warn_of_expansion(problem, law)
        return dict.fromkeys(names, math.nan)
    found = losses | (_averages(problem, law) if "gap" in names else {})
    return {name: found[name] for name in names}


def _warn_of_expansion(problem: Ensemble, law: WeightLaw) -> None:
    """A mean of squares below 0: the terms left out, or rounding, are as large as what is kept."""
    size = "infinitely many" if problem.size is None else f"P = {problem.size}"
    message = (
        f"the expansion in 1/P does not hold for {size} draws of {type(problem.model).__name__}: it gives a "
        f"train error of {law.train:.3g}, below 0; all predictions are nan (more draws, a larger ridge or "
        "a shorter training time make it hold)"
    )
    warnings.warn(message, ExpansionWarning, stacklevel=4)


def law_of(problem: Ensemble, order: Any = weight_law.corrected) -> WeightLaw:
    """The law of the weights at P = `problem.size`; `order` is `first_order` or `corrected`.

    Those of a lazy network are weights of its kernel's eigenfunctions.

    Raises:
        InputError: a problem of another kind, or the corrected law of training that stops early.
    """
    if not callable(getattr(problem.model, "at", None) if hasattr(problem, "model") else None):
        kind = type(problem).__name__
        raise InputError("theory", "effective_dynamics", "an EnsembleSampling problem", f"it is {kind}")
    problem = in_features(problem)
    nodes = _training_law(problem.at_size(1))
    if is_minimum(problem.trainer):
        return (
            weight_law.limit(problem, nodes) if problem.size is None else order(problem, nodes, problem.size)
        )
    if problem.size is None:
        return flow_law.limit(problem, nodes)
    if order is not weight_law.first_order:
        hint = "the corrected law is that of a Ridge, not of training that stops early"
        raise InputError("theory", "effective_dynamics", "effective_dynamics_first_order", hint)
    return flow_law.first_order(problem, nodes, problem.size)


@functools.lru_cache(maxsize=4)
def _training_law(problem: Ensemble) -> TrainingLaw:
    return training_law(problem)


def _averages(problem: Ensemble, law: WeightLaw) -> dict[str, float]:
    points, masses = (jnp.asarray(part) for part in problem.data.arrays())
    radius = jnp.asarray(problem.gap_radius)
    means = [sample_means(x, points, masses, radius) for x in sample_pieces(problem, law, MODELS, SAMPLES)]
    return {name: float(np.mean([np.asarray(part[name]) for part in means])) for name in means[0]}


def learned_samples(
    problem: Ensemble, law: WeightLaw, models: int, samples: int, seed: int = 0
) -> Float[np.ndarray, "G n D"]:
    """Samples of the effective dynamics, float32: `samples` for each of `models` draws of the field.

    Averages over everything are those of [q]; quantiles over models are those of the ensemble.
    """
    return np.concatenate([np.asarray(x) for x in sample_pieces(problem, law, models, samples, seed)])


def sample_pieces(
    problem: Ensemble, law: WeightLaw, models: int, samples: int, seed: int = 0, together: int = CHUNK
) -> Iterator[Float[Array, "G n D"]]:
    """The samples of `learned_samples`, those of `together` draws of the field at a time."""
    problem = in_features(problem)
    steps = flow_steps(problem.schedule, problem.steps)
    span = jnp.array([problem.schedule.t_min, problem.schedule.t_max])
    key, rng, root = jax.random.key(seed), np.random.default_rng(seed), law.root()
    for first in range(0, models, together):
        weights = jnp.asarray(law.draws(min(together, models - first), rng, root), jnp.float32)
        yield generate_samples(problem.model, samples, weights, steps, span, key, first)


def v_kernel(
    problem: Ensemble, law: WeightLaw, x: Float[np.ndarray, "n D"], t: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n D n D"]:
    """V(x_i, t_i; x_j, t_j), the covariance of the learned score between places and times."""
    problem = in_features(problem)
    outputs, F = law.mean.shape
    span = np.array([problem.schedule.t_min, problem.schedule.t_max])
    phi = np.asarray(problem.model.features(jnp.asarray(x), jnp.asarray(t), span))
    level = problem.schedule.level(jnp.asarray(t))
    gain = np.asarray(level.alpha / level.sig2) if problem.model.target == "denoiser" else np.ones(len(t))
    scaled = phi * gain[:, None]
    blocks = law.covariance.reshape(outputs, F, outputs, F)
    return np.einsum("if,afbg,jg->iajb", scaled, blocks, scaled, optimize=True)
