"""Theory of `Generations`: what becomes of a linear model's samples when models learn from models.

Divergences are limits by free sums and products (`chain`),

    log det A = int_0^inf [ 1/(1 + u) - (A + u)^{-1} ] du,       F = (A + ridge) / (1 - ridge),

or, where data are replaced without ridge, means at finite d and their limits in closed form (`exact_means`).
Data are taken for Gaussian; of points that are not, the first generation's samples alone differ.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.generations.chain import Chain, mixtures, resolvents
from simdiff.theory.generations.exact_means import covariance_error, replaced_divergences, replaced_limits
from simdiff.theory.protocols import Successive

_SPAN, _NODES = (-30.0, 22.0), 800
"""Of log u, for the logarithm's integral: the trapezoid rule then has errors below 1e-9."""


@register("theory", "generations")
def predict(problem: Any) -> dict[str, float]:
    """Metrics of the last generation.

    Means at size d for the problem that `at_size(d)` returns where they are exact: without ridge the error
    of the covariance, and, with keep="replace", both divergences; limits otherwise.

    Raises:
        InputError: a problem of another kind.
    """
    if not hasattr(problem, "generations") or not hasattr(problem, "keep"):
        kind = type(problem).__name__
        raise InputError("theory", "generations", "a Generations problem", f"it is {kind}")
    s, weights = problem.data.spectrum()
    shares = mixtures(problem.generations, str(problem.keep), problem.share)
    chain = Chain(s, weights, float(problem.psi_n), float(problem.ridge), shares)
    values = _moments(chain, problem.size)
    if problem.kl:
        values |= _divergences(problem, chain)
    return values


def _moments(chain: Chain, size: int | None) -> dict[str, float]:
    """Variance, exactly; the error of the covariance where there is no ridge."""
    mean = chain.eigenvalues
    for mix in chain.mixtures:
        mean = (mix.old + mix.new / (1.0 - chain.ridge)) * mean + mix.fresh * chain.eigenvalues
        mean = mean + mix.new * chain.ridge / (1.0 - chain.ridge)
    sampled = (mean + chain.ridge) / (1.0 - chain.ridge)
    values = {"variance": float(chain.weights @ sampled / (chain.weights @ chain.eigenvalues))}
    if chain.ridge == 0.0:
        values["covariance"] = covariance_error(chain, math.inf if size is None else size)
    return values


def _divergences(problem: Successive, chain: Chain) -> dict[str, float]:
    if problem.keep == "replace" and chain.ridge == 0.0:
        if problem.size is None:
            return replaced_limits(chain.psi_n, problem.generations)
        return replaced_divergences(round(chain.psi_n * problem.size), problem.size, problem.generations)
    return limits(chain)


def limits(chain: Chain) -> dict[str, float]:
    """Both divergences as d grows, of any chain; nan, with a warning, where no fixed point is found."""
    log_u = np.linspace(*_SPAN, _NODES)
    u = np.exp(log_u)
    found = resolvents(chain, np.append(u, 0.0) + chain.ridge)
    if found is None:
        message = f"no fixed point at psi_n={chain.psi_n:.6g}, ridge={chain.ridge:.6g}: nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return {"kl_sampled_target": math.nan, "kl_target_sampled": math.nan}
    s, w, r = chain.eigenvalues, chain.weights, chain.ridge
    log = np.sum((1.0 / (1.0 + u) - w @ found[:, :-1]) * u) * (log_u[1] - log_u[0]) - math.log1p(-r)
    ratio, mean = float(log - w @ np.log(s)), _mean_ratio(chain)
    inverse = float((w * s) @ found[:, -1]) * (1.0 - r)
    return {
        "kl_sampled_target": 0.5 * (mean - 1.0 - ratio),
        "kl_target_sampled": 0.5 * (inverse - 1.0 + ratio),
    }


def _mean_ratio(chain: Chain) -> float:
    """(1/d) tr Sigma^-1 E F: every mean covariance is alpha Sigma + beta."""
    alpha, beta = 1.0, 0.0
    for mix in chain.mixtures[1:]:
        keep = mix.old + mix.new / (1.0 - chain.ridge)
        alpha, beta = keep * alpha + mix.fresh, keep * beta + mix.new * chain.ridge / (1.0 - chain.ridge)
    return float(alpha + (beta + chain.ridge) * (chain.weights @ (1.0 / chain.eigenvalues))) / (
        1.0 - chain.ridge
    )
