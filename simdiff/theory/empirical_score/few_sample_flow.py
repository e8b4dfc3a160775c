"""The flow learned from few samples, in closed form: n fixed, d to infinity (arXiv 2310.03575).

At time t, with a = t, b = 1 - t, A = ridge + n - 1, K = ridge (1 + sigma^2) + (n - 1) sigma^2 and D = b^2
A + a^2 K, the minimum is c = a K / D and w with components n (1 - c a) / (n + ridge) along mu, (1 - c a)
/ (n + ridge) along each sample's noise s sigma z and -c b / (n + ridge) along each s x_0. The growth rate
of the flow then is (c - 1) / b = D'/(2 D), so its equations integrate:

    start          sqrt(K / A)                          overlap R      n / (n + ridge)
    samples' noise 1 / (n + ridge) each                 x_0            -sqrt(K / A) / (n + ridge) each

The error of the generated centroid is what is off mu: 2 sigma^2 / n to leading order. At finite d a start
overlaps with w on the side that it goes to by E|N(0, 1)| / sqrt(d), which the flow multiplies by sqrt(K /
A): the overlap exceeds the limit by `first_correction`, proportional to sigma, if denoisers are trained
with the true labels.
"""

from __future__ import annotations

import math
from typing import Any

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.theory.protocols import Flow


@register("theory", "few_sample_flow")
def predict(problem: Any) -> dict[str, float]:
    """Limits of `FewSampleFlow`: centroid_overlap, norm and centroid_error.

    Raises:
        InputError: a problem without n, sigma and ridge.
    """
    n, ridge, sigma2, kept = _numbers(problem)
    overlap, share = n / (n + ridge), n / (n + ridge) ** 2
    return {
        "centroid_overlap": overlap,
        "norm": overlap**2 + share * (kept + sigma2) + kept,
        "centroid_error": (1 - overlap) ** 2 + share * (kept + sigma2),
    }


def first_correction(problem: Flow, d: int) -> float:
    """What d^(-1/2) adds to the overlap with given labels: sqrt(2 K / (pi A d)) times cos(w, mu) at t = 0."""
    n, _, sigma2, kept = _numbers(problem)
    return math.sqrt(2 * kept / (math.pi * d * (1 + sigma2 / n)))


def _numbers(problem: Flow) -> tuple[int, float, float, float]:
    """n, the ridge, sigma^2, and K / A."""
    try:
        n, ridge, sigma2 = problem.n, problem.ridge, problem.sigma**2
    except AttributeError as error:
        hint = "n, sigma and ridge are needed"
        raise InputError("problem", type(problem).__name__, "a FewSampleFlow", hint) from error
    return n, ridge, sigma2, (ridge * (1 + sigma2) + (n - 1) * sigma2) / (ridge + n - 1)
