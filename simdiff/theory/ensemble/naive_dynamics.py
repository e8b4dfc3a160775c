"""The effective SDE of the naive estimator: dx = (-beta x - D s) dt + sqrt(kappa) D C^{1/2} dW, backwards.

The naive estimator adds noise of the covariance kappa D^2 C dt at every step, C that of the proxy score: its
law converges to this SDE's (Ito) as the step shrinks. Its increments are drawn from the points, so they have
a third moment of the order of dt^{3/2} where the points seen from x lie askew: expectations then differ from
the SDE's by the order of sqrt(dt), and by dt where they do not.

Source: arXiv 2504.12532, section 4.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.sampling.flow import FlowSteps
from simdiff.sampling.naive import noisy_flow
from simdiff.sampling.proxy import Posterior


def effective_samples(
    points: Any, steps: FlowSteps, kappa: float, key: Array, samples: int
) -> Float[Array, "n D"]:
    """Samples of the SDE by Euler-Maruyama, float64; arguments as those of `naive_samples`."""
    return noisy_flow(points, steps, kappa, key, samples, gaussian)


def gaussian(key: Array, known: Posterior, points: Array) -> Array:
    """Normal with the posterior's covariance: sum_m sqrt(p_m) (mu_m - mean) g_m, no matrix square root."""
    g = jax.random.normal(key, known.probabilities.shape)
    weights = jnp.sqrt(known.probabilities) * g
    return weights @ points - known.mean * jnp.sum(weights, axis=-1, keepdims=True)
