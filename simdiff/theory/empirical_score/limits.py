"""Speciation and collapse as d grows, and the first corrections at finite d.

With Gamma = a^2 s + h for every eigenvalue s of a class's covariance, x_t tells the training point by

    I(t) = (1/2) < log(Gamma / h) >     nats per dimension,  given its class,

so n = exp(alpha d) points leave the entropy density max(0, alpha - I(t)) (arXiv 2402.18491, a random
energy model), and single points dominate below the time at which alpha = I. Two things at finite d are
not in that curve:

- the class itself is told, too: I(class; x_t) <= log K must be taken off log n (`label`), of order 1/d;
- the information i that one x_t gives varies, with variance V d, V(t) = < a^2 s / Gamma >, so that the
  transition is
  rounded: the entropy is E max(0, log n - i), which is sqrt(V / (2 pi d)) where the curve without it
  vanishes.

The speciation time is that at which noise hides the largest variance: (1/2) log of the largest eigenvalue
of the covariance, (1/2) log(d m^2) for two classes of norm m sqrt(d), to leading order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.theory.empirical_score.classes import classes_of
from simdiff.theory.empirical_score.clones import label_information

_LONGEST = 50.0


def point_information(data: Any, t: float) -> np.ndarray:
    """I(t) of each class, (K,), nats per dimension."""
    a2, h = math.exp(-2 * t), -math.expm1(-2 * t)
    return np.array([w @ (0.5 * np.log1p(a2 * s / h)) for s, w in _spectra(data)])


def information_variance(data: Any, t: float) -> np.ndarray:
    """V(t) of each class, (K,), per dimension."""
    a2, h = math.exp(-2 * t), -math.expm1(-2 * t)
    return np.array([w @ (a2 * s / (a2 * s + h)) for s, w in _spectra(data)])


def entropy_density(data: Any, alpha: float, t: float, d: float = math.inf, label: bool = True) -> float:
    """max(0, alpha - I), averaged over classes; at finite d and with `label` less I(class; x_t) / d.

    nan where the classes are not isotropic, or their means on no line, and the label is asked for.
    """
    told = _label(data, d, t) if label and math.isfinite(d) else 0.0
    left = alpha - told - point_information(data, t)
    return float(_weights(data) @ np.maximum(left, 0.0)) if math.isfinite(told) else math.nan


def rounded_entropy_density(data: Any, alpha: float, t: float, d: float) -> float:
    """E max(0, log n - i) / d with normal i, averaged over classes: right up to terms of order 1/d."""
    from scipy.special import ndtr

    told = _label(data, d, t)
    left = d * (alpha - told - point_information(data, t))
    width = np.sqrt(d * information_variance(data, t))
    z = left / np.maximum(width, 1e-300)
    mean = left * ndtr(z) + width * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return float(_weights(data) @ mean) / d


def collapse_time(data: Any, alpha: float, d: float = math.inf, label: bool = True) -> float:
    """The time below which single points dominate: alpha d = d I(t) + I(class; x_t).

    The last, the label, counts at finite d only.

    For classes of one variance, in the limit, (1/2) log(1 + sigma^2 / (exp(2 alpha) - 1)).

    Raises:
        InputError: alpha not positive and finite, or data without classes of one variance where it is needed.
    """
    from scipy.optimize import brentq

    alpha = check_number("alpha", alpha, above=0)

    def left(t: float) -> float:
        told = _label(data, d, t) if label and math.isfinite(d) else 0.0
        return alpha - told - float(_weights(data) @ point_information(data, t))

    if not math.isfinite(left(1.0)):
        allowed = "isotropic classes with means on a line, where the label counts"
        raise InputError("data", type(data).__name__, allowed)
    return float(brentq(left, 1e-9, _LONGEST, xtol=1e-12))


def speciation_time(data: Any, d: int) -> float:
    """(1/2) log of the largest eigenvalue of the covariance at size d: (1/2) log(d m^2) for far classes.

    Raises:
        InputError: no eigenvalue above 1: noise of variance 1 hides everything from the start.
    """
    largest = float(np.max(data.at_size(d).spectrum()[0]))
    if largest <= 1:
        raise InputError("data", type(data).__name__, "data with a variance above 1 in some direction")
    return 0.5 * math.log(largest)


def _label(data: Any, d: float, t: float) -> float:
    """I(class; x_t) / d."""
    if getattr(data, "classes", 1) == 1:
        return 0.0
    classes = classes_of(data, d)
    return math.nan if classes is None else label_information(classes, d, t) / d


def _spectra(data: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return [law.spectrum() for law in getattr(data, "spectra", (data,))]


def _weights(data: Any) -> np.ndarray:
    return getattr(data, "probabilities", np.ones(1))
