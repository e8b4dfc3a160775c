"""Panels on which a function is a polynomial to rounding, found by bisection.

A Gaussian much wider than the place where an activation varies (a tanh at variance 1e6) defeats rules
that are refined evenly: every one of them misses the transition, and they agree with each other. Here
a panel is halved until the interpolant at its Gauss nodes also meets the function at probes that
crowd geometrically towards both ends, so a transition at 0 or at a kink is found at any scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_DEGREE = 14
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_DEGREE)
_TO_SERIES = (np.arange(_DEGREE) + 0.5)[:, None] * np.polynomial.legendre.legvander(_NODES, 13).T * _WEIGHTS
_STEPS = 2.0 ** -np.arange(0.0, 40.0)
_PROBES = np.concatenate([-1.0 + _STEPS, 1.0 - _STEPS[1:]])
_AT_PROBES = np.polynomial.legendre.legvander(_PROBES, 13) @ _TO_SERIES
_FAINT = 1e-6
"""Errors are relative to a panel's largest value, or to this fraction of the largest of all."""
_MOST_PANELS = 400
_LEVELS = 60


def deviations(fn: Callable, ends: np.ndarray) -> np.ndarray:
    """Largest relative error of the degree-13 interpolant on each panel (panels,) of ends (panels + 1,)."""
    half, middle = 0.5 * np.diff(ends)[:, None], 0.5 * (ends[1:] + ends[:-1])[:, None]
    values = fn(middle + half * np.concatenate([_NODES, _PROBES]))
    nodes, probes = values[:, :_DEGREE], values[:, _DEGREE:]
    size = np.abs(values).max(axis=1)
    size = np.maximum(size, _FAINT * size.max()) + 1e-300
    return np.abs(nodes @ _AT_PROBES.T - probes).max(axis=1) / size


def resolving_ends(fn: Callable, ends: np.ndarray, accuracy: float) -> np.ndarray | None:
    """Panel ends, those given and midpoints, on which fn is resolved; None where too many are needed."""
    for _ in range(_LEVELS):
        missed = deviations(fn, ends) > accuracy
        if not missed.any():
            return ends
        ends = np.sort(np.concatenate([ends, 0.5 * (ends[1:] + ends[:-1])[missed]]))
        if ends.size > _MOST_PANELS:
            return None
    return None


def split(ends: np.ndarray, parts: int) -> np.ndarray:
    """The ends with every panel cut into equal parts."""
    inner = ends[:-1, None] + np.diff(ends)[:, None] * np.arange(parts) / parts
    return np.append(inner.ravel(), ends[-1:])
