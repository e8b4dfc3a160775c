"""Speciation: whether two clones that share a backward trajectory until t end in the same class.

Given x_t the reverse process ends in class k with probability p_k(x_t), its posterior, independently for
the two clones. So their agreement is E sum_k p_k^2, exactly, at every d; for two symmetric classes of
norm m sqrt(d) it is E[p^2 + (1 - p)^2], p = sigmoid(2 M y / Gamma), y ~ N(M, Gamma), M = m sqrt(d) e^-t
(arXiv 2402.18491).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simdiff.theory.empirical_score.classes import Classes, class_probabilities, places

_STEP = 0.05


def clone_agreement(classes: Classes, d: float, t: float) -> float:
    """E sum_k p_k(x_t)^2; d = inf is allowed for classes that differ in their means alone."""
    return _average(classes, d, t, lambda p: np.sum(p**2, axis=1))


def label_information(classes: Classes, d: float, t: float) -> float:
    """I(class; x_t) in nats."""
    entropy = float(-np.sum(classes.weights * np.log(classes.weights)))
    return entropy - _average(classes, d, t, lambda p: -np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1))


def _average(classes: Classes, d: float, t: float, of: Callable[[np.ndarray], np.ndarray]) -> float:
    """An average over x_t of a function of the class probabilities."""
    if not np.isfinite(classes.places).all() or (math.isinf(d) and not classes.alike):
        return _far_apart(classes, of)
    # where classes differ in their means alone, what is across the line says nothing
    size, step = (1, _STEP) if classes.alike else (int(d), 4 * _STEP)
    values = [
        float(place.weights @ of(class_probabilities(classes, place.squares, size, t)))
        for place in places(classes, size, t, step)
    ]
    return float(classes.weights @ np.array(values))


def _far_apart(classes: Classes, of: Callable[[np.ndarray], np.ndarray]) -> float:
    """Where x_t tells the class for certain."""
    each = of(np.eye(len(classes.weights)))
    return float(classes.weights @ each)
