"""What is measured on samples beside a point set: how far they are from it, and how much lies in gaps."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def squared_distance(x: Float[Array, "*s n D"], points: Float[Array, "M D"]) -> Float[Array, "*s n"]:
    """|x - mu|^2 to the nearest point mu, coordinate by coordinate: no cancellation near a point."""
    best = jnp.full(x.shape[:-1], jnp.inf, x.dtype)
    for point in points.astype(x.dtype):
        best = jnp.minimum(best, jnp.sum((x - point) ** 2, axis=-1))
    return best


def sample_means(
    x: Float[Array, "*s n D"],
    points: Float[Array, "M D"],
    weights: Float[Array, " M"],
    radius: Float[Array, ""],
) -> dict[str, Float[Array, "*s"]]:
    """Averages over the n samples of each set, all linear in the sampled law.

    `gap`: share farther than `radius` from every point; `nearest`: mean squared distance to the nearest
    point; `spread`: mean squared distance to the points' mean.
    """
    nearest = squared_distance(x, points).astype(jnp.float64)
    centre = (weights @ points).astype(x.dtype)
    spread = jnp.sum((x - centre) ** 2, axis=-1).astype(jnp.float64)
    return {
        "gap": jnp.mean(nearest > radius**2, axis=-1),
        "nearest": jnp.mean(nearest, axis=-1),
        "spread": jnp.mean(spread, axis=-1),
    }
