"""The network that is trained where none is given: two hidden layers of tanh, of the point and its time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.models.denoising.network import Network

WIDTH = 8.0
"""Hidden units per dimension."""


def init(key: Array, d: int, p: int) -> dict[str, Array]:
    """Weights of variance 1 / inputs; those of the output start at a tenth of that, squared."""
    first, second, last = jax.random.split(key, 3)
    normal = jax.random.normal
    return {
        "first": normal(first, (p, d + 2)) / jnp.sqrt(d + 2.0),
        "second": normal(second, (p, p)) / jnp.sqrt(1.0 * p),
        "last": 0.1 * normal(last, (d, p)) / jnp.sqrt(1.0 * p),
    }


def apply(params: dict[str, Array], x: Float[Array, " d"], t: Array) -> Float[Array, " d"]:
    """An estimate of the noise in x; of the time it sees the logarithm of sqrt(h) / a."""
    level = jnp.log(jnp.sqrt(-jnp.expm1(-2.0 * t))) + t
    hidden = jnp.tanh(params["first"] @ jnp.concatenate([x, jnp.stack([level, jnp.ones_like(level)])]))
    return params["last"] @ jnp.tanh(params["second"] @ hidden)


def default_network() -> Network:
    """With p = 8 d hidden units in each layer."""
    return Network(init, apply, predicts="noise", psi_p=WIDTH)
