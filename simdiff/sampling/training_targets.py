"""What denoising score matching regresses on: targets and weights at (x_0, z, t).

notation:
    loss = E lambda(t) |s^(x_t, t) - s~|^2,  x_t = alpha x_0 + sqrt(sig2) z,  s~ = -z / sqrt(sig2)
    a score model:    target y = s~,   weight l = lambda
    a denoiser model: target y = x_0,  weight l = lambda alpha^2 / sig2^2, the same loss
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.sampling.diffusions import Level

WEIGHTS = ("sig2", "one")
"""lambda(t): sig2, which makes noise prediction the target with equal weights, or 1."""


Rows = Float[Array, "n D"]


class Pairs(NamedTuple):
    """Inputs x and t, targets y and weights l >= 0 of n pairs."""

    x: Rows
    t: Float[Array, " n"]
    y: Rows
    weights: Float[Array, " n"]


def make_pairs(
    x0: Float[Array, "n D"],
    z: Float[Array, "n D"],
    t: Float[Array, " n"],
    level: Level,
    target: str,
    weight: str,
) -> Pairs:
    """The pairs of clean points, noise and times; `level` at these times."""
    alpha, sig2 = level.alpha, level.sig2
    x = alpha[:, None] * x0 + jnp.sqrt(sig2)[:, None] * z
    scale = sig2 if weight == "sig2" else jnp.ones_like(sig2)
    if target == "score":
        return Pairs(x, t, -z / jnp.sqrt(sig2)[:, None], scale)
    return Pairs(x, t, x0, scale * (alpha / sig2) ** 2)
