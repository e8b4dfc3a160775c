"""What training from zero makes of the Gram matrix: gradient flow, and descent with a finite step.

Both have B = -V^T phi(U), and leave of the targets z, in the n m-dimensional space of training pairs,
psi(K) z, where K has the non-zero eigenvalues of U and psi(z) = 1 - z phi(z).

notation:
    z = eigenvalue of U,  x = z + ridge
    decay = e^{-tau x}                 flow, dB/dtau = -(B (U + ridge) + V^T)
          = (1 - step x)^k             descent, B <- B - step (B (U + ridge) + V^T), k = tau / step times
    phi = (1 - decay) / x,  psi = (ridge + z decay) / x
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import log1p

from simdiff.errors import InputError

PerTime = Complex[np.ndarray, "t k"]


class Filter(NamedTuple):
    """phi and psi at every time (rows) and node (columns)."""

    solution: PerTime
    residual: PerTime


def training_filter(
    z: Complex[np.ndarray, " k"], times: Float[np.ndarray, " t"], ridge: float, step: float = 0.0
) -> Filter:
    """The filter at times tau > 0; step = 0 is the flow. No node may be at z = -ridge."""
    x = z + ridge
    exponent = np.outer(times, -x) if step == 0.0 else np.outer(step_counts(times, step), log1p(-step * x))
    return Filter(-np.expm1(exponent) / x, (ridge + z * np.exp(exponent)) / x)


def step_counts(times: Float[np.ndarray, " t"], step: float) -> Float[np.ndarray, " t"]:
    """How many steps make each time.

    Raises:
        InputError: a time that is not a whole number of steps.
    """
    counts = np.rint(times / step)
    off = np.abs(counts * step - times) > 1e-6 * times
    if off.any():
        hint = "a polynomial has no value between two steps"
        raise InputError("trainer.times", float(times[off][0]), f"whole multiples of the step {step:g}", hint)
    return counts
