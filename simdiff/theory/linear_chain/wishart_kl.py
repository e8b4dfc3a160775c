"""Exact means at finite size: sampling without ridge, early stopping or discretisation error, N > d + 1.

The sampled law is then N(mean, Sigma_hat), the Gaussian fitted to the training data, and whatever Sigma,
Sigma^{-1/2} Sigma_hat Sigma^{-1/2} is 1/N times a Wishart matrix of nu degrees of freedom:

    E log det Sigma_hat - log det Sigma = sum_{i<d} digamma((nu - i) / 2) + d log(2 / N)
    E tr Sigma^-1 Sigma_hat = d nu / N,       E tr Sigma Sigma_hat^-1 = d N / (nu - d - 1)
    E |Sigma_hat - Sigma|_F^2 = (nu/N^2) ((tr Sigma)^2 + tr Sigma^2) + (1 - nu/N)^2 tr Sigma^2

nu = N, or N - 1 with a learned bias, which adds E mean^T Sigma^-1 mean = d/N to twice the first divergence
and E mean^T Sigma_hat^-1 mean = d / (nu - d - 1) to twice the second. As d grows, with q = d/N,

    KL(sampled || target) / d -> (1/2) (1 + ((1 - q)/q) log(1 - q))
    KL(target || sampled) / d -> (1/2) (1/(1 - q) - 2 - ((1 - q)/q) log(1 - q))

both q/4 to first order (Merger, Goldt, arXiv 2505.24769).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import digamma

from simdiff.errors import InputError, check_integer
from simdiff.parts.registry import register
from simdiff.theory.protocols import Chain


@register("theory", "wishart_kl")
def predict(problem: Any) -> dict[str, float]:
    """The two divergences and, where Sigma is no random matrix, the covariance error, of a `LinearSampling`.

    Exact means at size d for the problem that `at_size(d)` returns, limits for a problem without a size.
    So a comparison at several sizes has nothing to extrapolate: it holds at each.

    Raises:
        InputError: a trainer or a schedule for which the sampled law is not the fitted Gaussian.
    """
    _check_exact(problem)
    d = getattr(problem, "size", None)
    values = {} if not problem.kl else limit(problem.psi_n) if d is None else _divergences(problem, d)
    if not getattr(problem.data, "random_frame", False):
        values["covariance"] = _covariance_error(problem, d)
    return values


def wishart_kl(samples: int, d: int, bias: bool = False) -> dict[str, float]:
    """Mean divergences per dimension of the Gaussian fitted to `samples` > d + 1 (+ 1 with a bias) points.

    Raises:
        InputError: too few samples for the means to exist.
    """
    n, d = check_integer("samples", samples, least=1), check_integer("d", d, least=1)
    nu = n - bias
    if nu <= d + 1:
        raise InputError("samples", n, f"an integer > {d + 1 + bias}", "the mean of Sigma_hat^-1 is infinite")
    ratio = float(np.mean(digamma(0.5 * (nu - np.arange(d))))) + math.log(2.0 / n)
    inverse = n / (nu - d - 1.0)
    shift, back = (1.0 / n, 1.0 / (nu - d - 1.0)) if bias else (0.0, 0.0)
    return {
        "kl_sampled_target": 0.5 * (nu / n - 1.0 - ratio + shift),
        "kl_target_sampled": 0.5 * (inverse - 1.0 + ratio + back),
    }


def limit(psi_n: float) -> dict[str, float]:
    """The divergences per dimension as d grows at N = psi_n d, psi_n > 1."""
    q = 1.0 / psi_n
    fall = (1.0 - q) / q * math.log1p(-q)
    return {
        "kl_sampled_target": 0.5 * (1.0 + fall),
        "kl_target_sampled": 0.5 * (1.0 / (1.0 - q) - 2.0 - fall),
    }


def _divergences(problem: Chain, d: int) -> dict[str, float]:
    return wishart_kl(round(problem.psi_n * d), d, problem.bias)


def _covariance_error(problem: Chain, d: int | None) -> float:
    s, weights = problem.data.spectrum()
    mean, square = float(weights @ s), float(weights @ s**2)
    if d is None:
        return mean**2 / problem.psi_n
    n = round(problem.psi_n * d)
    nu = n - problem.bias
    return nu / n**2 * (d * mean**2 + square) + (1.0 - nu / n) ** 2 * square


def _check_exact(problem: Chain) -> None:
    schedule: Any = getattr(problem, "schedule", None)
    if not getattr(schedule, "from_infinity", False):
        hint = "only sampling without discretisation error gives back the fitted Gaussian"
        raise InputError("schedule", schedule, "Exact() for theory=wishart", hint)
    if problem.trainer is not None:
        hint = "ridge and early stopping change the sampled covariance"
        raise InputError("trainer", problem.trainer, "none for theory=wishart", hint)
