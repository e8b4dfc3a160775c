"""Divided differences of a smooth function: what a function of a matrix does when the matrix moves a little.

notation:
    f[a, b]    = (f(a) - f(b)) / (a - b),           f'(a) at a = b
    f[a, b, c] = (f[a, b] - f[b, c]) / (a - c)
    f(S + H)_ij = f(S)_ij + f[s_i, s_j] H_ij + sum_k f[s_i, s_k, s_j] H_ik H_kj + ...      S = diag(s)

Points far apart are divided as written. For close ones that loses all digits, and the same number is the
average of f(z) (z - m) / product of (z - points) over a circle around them with centre m (Cauchy's formula).

Source: Higham, *Functions of Matrices*, SIAM 2008, section 3.2 and appendix B.16 (Daleckii and Krein).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Function = Callable[[np.ndarray], np.ndarray]
"""Analytic, of complex arrays (n,); real where they are."""

CLOSE, RADIUS, NODES = 0.2, 0.3, 32
"""Points closer than CLOSE lengths are on a circle of RADIUS lengths: an error of the order of 3^-NODES."""


def values(f: Function, s: Float[np.ndarray, " F"], soft: float) -> Float[np.ndarray, " F"]:
    """f(s_i), also where f is written as 0 / 0."""
    return _circle(f, [s], RADIUS * (s + soft))


def first_differences(f: Function, s: Float[np.ndarray, " F"], soft: float) -> Float[np.ndarray, "F F"]:
    """f[s_i, s_j] for s >= 0, of a function that is smooth over lengths of s + soft around every s."""
    a, b = (part.ravel() for part in np.broadcast_arrays(s[:, None], s[None, :]))
    value = values(f, s, soft)
    difference = (value[:, None] - value[None, :]).ravel()
    return _divide(f, (np.minimum(a, b), np.maximum(a, b)), difference * np.sign(b - a), soft).reshape(
        len(s), -1
    )


def second_differences(
    f: Function, s: Float[np.ndarray, " F"], soft: float, first: Float[np.ndarray, "F F"], j: int
) -> Float[np.ndarray, "F F"]:
    """f[s_i, s_k, s_j] of one j, with `first` from `first_differences`."""
    F = len(s)
    every = np.broadcast_arrays(np.arange(F)[:, None], np.arange(F)[None, :], j)
    index = np.stack([part.ravel() for part in every])
    low, middle, high = np.take_along_axis(index, np.argsort(s[index], axis=0, kind="stable"), axis=0)
    difference = first[low, middle] - first[middle, high]
    return _divide(f, (s[low], s[middle], s[high]), difference, soft).reshape(F, F)


def _divide(f: Function, points: tuple[np.ndarray, ...], difference: np.ndarray, soft: float) -> np.ndarray:
    """difference / (lowest - highest point), or the average over a circle around them; points ascend."""
    low, high = points[0], points[-1]
    length = 0.5 * (low + high) + soft
    close = high - low < CLOSE * length
    found = np.empty(len(low))
    found[~close] = difference[~close] / (low - high)[~close]
    if close.any():
        found[close] = _circle(f, [part[close] for part in points], RADIUS * length[close])
    return found


def _circle(f: Function, points: list[np.ndarray], radius: np.ndarray) -> np.ndarray:
    """By symmetry the upper half of the circle is enough."""
    centre = 0.5 * (points[0] + points[-1])
    total = np.zeros(len(centre))
    for angle in np.pi * (np.arange(NODES // 2) + 0.5) / (NODES // 2):
        away = radius * np.exp(1j * angle)
        below = np.prod([centre + away - point for point in points], axis=0)
        total += (f(centre + away) * away / below).real
    return total / (NODES // 2)
