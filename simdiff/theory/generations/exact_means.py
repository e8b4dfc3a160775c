"""Means at size d: the covariance over generations without ridge, and divergences where data are replaced.

Without ridge the mean of A_g is Sigma, and second moments follow a linear recursion, for N real samples or
those of a model of covariance A are Gaussian: with W the second moment of n such samples,

    E tr W^2 = (1 + 1/n) tr A^2 + (1/n) (tr A)^2,      E (tr W)^2 = (tr A)^2 + (2/n) tr A^2

Where every generation replaces the data, A_g = A_{g-1}^{1/2} (Wishart / N) A_{g-1}^{1/2}, so that log det A_g
gains the same mean in every generation and E A_g^{-1} is a multiple of Sigma^{-1}: for every Sigma, with
L = sum_{j<d} [digamma((N - j)/2) - log(N/2)] and N > d + 1,

    E KL(sampled || target) = -(g/2) L
    E KL(target || sampled) = (1/2) [ d (N / (N - d - 1))^g - d + g L ]
"""

from __future__ import annotations

import math

import numpy as np

from simdiff.theory.generations.chain import Chain, Mixture


def replaced_divergences(count: int, d: int, generations: int) -> dict[str, float]:
    """Both means per dimension; infinite means at count <= d + 1 are nan."""
    if count <= d + 1:
        return {"kl_sampled_target": math.nan, "kl_target_sampled": math.nan}
    from scipy.special import digamma

    ratio = float(np.mean(digamma(0.5 * (count - np.arange(d))))) - math.log(0.5 * count)
    inverse = (count / (count - d - 1.0)) ** generations
    return {
        "kl_sampled_target": -0.5 * generations * ratio,
        "kl_target_sampled": 0.5 * (inverse - 1.0 + generations * ratio),
    }


def replaced_limits(psi_n: float, generations: int) -> dict[str, float]:
    """The same as d grows, psi_n > 1: L/d tends to -1 - ((1 - q)/q) log(1 - q), q = 1 / psi_n."""
    if psi_n <= 1.0:
        return {"kl_sampled_target": math.nan, "kl_target_sampled": math.nan}
    q = 1.0 / psi_n
    ratio = -1.0 - (1.0 - q) / q * math.log1p(-q)
    inverse = (1.0 - q) ** -generations
    return {
        "kl_sampled_target": -0.5 * generations * ratio,
        "kl_target_sampled": 0.5 * (inverse - 1.0 + generations * ratio),
    }


def covariance_error(chain: Chain, d: float) -> float:
    """E |A_g - Sigma|_F^2 / d without ridge; d = inf gives the limit."""
    target = float(chain.weights @ chain.eigenvalues**2)
    mean = float(chain.weights @ chain.eigenvalues) ** 2
    u, v = target, mean  # (1/d) E tr A^2, (1/d^2) E (tr A)^2
    for mix in chain.mixtures:
        u, v = _next(chain, mix, d, target, mean, u, v)
    return u - target


def _next(
    chain: Chain, mix: Mixture, d: float, target: float, mean: float, u: float, v: float
) -> tuple[float, float]:
    """The second moments of the next generation; `new` samples are of covariance A, `fresh` ones of Sigma.

    With weight w of n = N w / (1 - old) samples, w^2 E tr W^2 = w^2 tr A^2 + w (1 - old) (tr A^2 + d tr) / N.
    """
    one = (1.0 - mix.old) / chain.psi_n
    square = (mix.old + mix.new) ** 2 * u + (mix.fresh**2 + 2.0 * mix.fresh * (mix.old + mix.new)) * target
    square += one * (mix.new * (u / d + v) + mix.fresh * (target / d + mean))
    trace = (mix.old + mix.new) ** 2 * v + (mix.fresh**2 + 2.0 * mix.fresh * (mix.old + mix.new)) * mean
    trace += 2.0 * one * (mix.new * u + mix.fresh * target) / d**2
    return square, trace
