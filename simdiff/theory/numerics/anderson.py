"""Fixed points x = step(x) of many unknowns by the method of Anderson: Newton-like, from a few past steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Inexact

DEPTH = 8
"""Steps that are combined."""


def anderson(
    step: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    start: Float[np.ndarray, " n"],
    tolerance: float,
    rounds: int,
) -> Float[np.ndarray, " n"]:
    """x >= 0 with max |step(x) - x| < tolerance; a combination that leaves x >= 0 is cut there.

    Raises:
        RuntimeError: not reached after `rounds` evaluations of `step`.
    """
    tried: list[np.ndarray] = []
    found: list[np.ndarray] = []
    x = start
    for _ in range(rounds):
        after = step(x)
        if np.max(np.abs(after - x)) < tolerance:
            return after
        tried, found = [*tried, x][-DEPTH:], [*found, after][-DEPTH:]
        x = np.maximum(_combined(tried, found), 0.0)
    raise RuntimeError(f"no fixed point within {tolerance:g} in {rounds} rounds")


def accelerated(
    step: Callable[[Inexact[np.ndarray, " n"]], Inexact[np.ndarray, " n"]],
    start: Inexact[np.ndarray, " n"],
    tolerance: float,
    rounds: int,
) -> tuple[Inexact[np.ndarray, " n"], bool]:
    """x, real or complex, with |step(x) - x| < tolerance (1 + |x|) everywhere, and whether it was found."""
    tried: list[np.ndarray] = []
    found: list[np.ndarray] = []
    x = start
    for _ in range(rounds):
        after = step(x)
        if not np.isfinite(after).all():
            return x, False
        if np.max(np.abs(after - x) / (1.0 + np.abs(x))) < tolerance:
            return after, True
        tried, found = [*tried, x][-DEPTH:], [*found, after][-DEPTH:]
        x = _combined(tried, found)
    return x, False


def _combined(tried: list[np.ndarray], found: list[np.ndarray]) -> np.ndarray:
    """The combination of steps whose residual is least in the 2-norm."""
    if len(tried) == 1:
        return found[0]
    residuals = np.stack(found) - np.stack(tried)
    changes = np.diff(residuals, axis=0)
    shares = np.linalg.lstsq(changes.T, residuals[-1], rcond=None)[0]
    return found[-1] - shares @ np.diff(np.stack(found), axis=0)
