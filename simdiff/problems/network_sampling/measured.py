"""What generated samples show: copies of training points, variance kept, and whether two models agree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

COPY = 1 / 9
"""A sample copies a training point where its squared distance to it is below this share of that to the next
nearest: a third of the distance, the criterion of Yoon et al. 2023."""


def measured(
    made: Float[Array, "splits count d"],
    sets: Float[Array, "splits n d"],
    fresh: Float[Array, "n d"],
    variances: Float[Array, " d"],
) -> dict[str, Float[Array, ""]]:
    """Averages over samples and models; variances: of the data, coordinate by coordinate."""
    d, total = made.shape[-1], jnp.sum(variances)
    two = jax.vmap(_two_nearest)(made, sets)
    to_fresh = jax.vmap(lambda x: _nearest(x, fresh))(made)
    order = jnp.argsort(-variances)
    shares = jnp.mean(made**2, axis=(0, 1))[order] / variances[order]
    leading = max(1, d // 8)
    found = {
        "nearest_training": jnp.mean(two[..., 0]) / d,
        "nearest_fresh": jnp.mean(to_fresh) / d,
        "nearest_ratio": jnp.mean(two[..., 0]) / jnp.mean(to_fresh),
        "copied": jnp.mean(two[..., 0] < COPY * two[..., 1]),
        "variance": jnp.mean(jnp.sum(made**2, axis=-1)) / total,
        "leading_variance": jnp.mean(shares[:leading]),
        "trailing_variance": jnp.mean(shares[-leading:]),
    }
    if len(made) > 1:
        found["consistency"] = jnp.mean(jnp.sum(made[0] * made[1], axis=-1)) / total
        found["spread"] = jnp.mean(jnp.sum((made[0] - made[1]) ** 2, axis=-1)) / d
    return {name: value.astype(jnp.float64) for name, value in found.items()}


def _nearest(x: Float[Array, "count d"], points: Float[Array, "n d"]) -> Float[Array, " count"]:
    """Squared distance to the nearest point."""
    return _two_nearest(x, points)[:, 0]


def _two_nearest(x: Float[Array, "count d"], points: Float[Array, "n d"]) -> Float[Array, "count 2"]:
    """Squared distances to the nearest point and the next, without cancellation, one sample at a time."""

    def one(sample: Array) -> Array:
        squares = jnp.sum((points.astype(x.dtype) - sample) ** 2, axis=1)
        return -jax.lax.top_k(-squares, 2)[0]

    return jax.lax.map(one, x)
