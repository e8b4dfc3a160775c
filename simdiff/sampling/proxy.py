"""The proxy score of a point set: its mean given x, which is the score, and its covariance.

Denoising score matching trains on s~ = (alpha x_0 - x) / sig2, x = alpha x_0 + sqrt(sig2) z, which is the
score only on average over what x_0 may have been. Its covariance given x is what a model trained on
finitely many draws feels.

notation:
    m, S      mean and covariance of x_0 given x
    s = (alpha m - x) / sig2              E[s~ | x], the score of x
    C = (alpha / sig2)^2 S                Cov[s~ | x] = I / sig2 + Hess log p(x)

Source: arXiv 2504.12532, section 3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import nn
from jaxtyping import Array, Float

from simdiff.errors import InputError, check_array


class Posterior(NamedTuple):
    """What x says about x_0: probabilities of the M points, and the mean and covariance they give.

    `pull` is alpha m - x, sig2 times the score.
    """

    probabilities: Float[Array, "*s M"]
    mean: Float[Array, "*s D"]
    covariance: Float[Array, "*s D D"]
    pull: Float[Array, "*s D"]


class ProxyScore(NamedTuple):
    """Mean (the score) and covariance of the proxy score given x."""

    score: Float[Array, "*s D"]
    covariance: Float[Array, "*s D D"]

    @property
    def variance_fraction(self) -> Float[Array, "*s"]:
        """tr C / (tr C + |s|^2), in [0, 1]: the share of noise in the training target; 0 where both are 0."""
        noise = jnp.trace(self.covariance, axis1=-2, axis2=-1)
        total = noise + jnp.sum(self.score**2, axis=-1)
        return jnp.where(total == 0, 0.0, noise / jnp.where(total == 0, 1.0, total))


def proxy_score(points: Any, x: Any, alpha: Any, sig2: Any) -> ProxyScore:
    """Score (..., D) and covariance (..., D, D) of the proxy score at x (..., D).

    Args:
        points: a `PointMasses`, or an array (M, D) of points of equal weight; for D = 1 also (M,).
        x: where; the last axis is D.
        alpha: of the noise, a number or an array that broadcasts against x without its last axis.
        sig2: variance of the noise, > 0, likewise.

    Raises:
        InputError: fewer than two points, x of another dimension, or sig2 that is not positive.
    """
    places, weights = _points(points)
    allowed = f"an array (..., {places.shape[1]}), the dimension of the points"
    x = check_array("x", x, allowed, finite=False)  # what is not known there is nan
    if x.ndim == 0 or x.shape[-1] != places.shape[1]:
        raise InputError("x", x.shape, allowed)
    alpha, sig2 = (_level(name, value, x.shape[:-1]) for name, value in (("alpha", alpha), ("sig2", sig2)))
    if not (sig2 > 0).all():
        raise InputError("sig2", sig2, "numbers > 0")
    return proxy_moments(*map(jnp.asarray, (places, weights, x, alpha, sig2)))


def _level(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    allowed = f"a number, or an array that broadcasts against {shape}, x without its last axis"
    level = check_array(name, value, allowed)
    try:
        np.broadcast_shapes(level.shape, shape)
    except ValueError:
        raise InputError(name, level.shape, allowed) from None
    return level


def proxy_moments(
    points: Float[Array, "M D"], weights: Float[Array, " M"], x: Array, alpha: Array, sig2: Array
) -> ProxyScore:
    """`proxy_score` of arrays, unchecked: for use inside compiled code."""
    known = posterior(points, weights, x, alpha, sig2)
    gain = jnp.asarray(alpha / sig2)[..., None, None]
    covariance = gain * (gain * known.covariance)  # gain^2 alone may be too large a number
    return ProxyScore(known.pull / jnp.asarray(sig2)[..., None], covariance)


def posterior(
    points: Float[Array, "M D"], weights: Float[Array, " M"], x: Array, alpha: Array, sig2: Array
) -> Posterior:
    """Probabilities of the points given x, and their moments.

    Probabilities are a softmax of log-likelihoods, so some point always has a positive one. Terms that all
    points share are left out before anything is divided by sig2, and all is measured from the points' centre:
    neither far from the data nor with data far from the origin does anything cancel.
    """
    alpha, sig2 = jnp.asarray(alpha)[..., None], jnp.asarray(sig2)[..., None]
    centre = jnp.mean(points, axis=0)
    points, x = points - centre, x - alpha * centre
    reach = x @ points.T - 0.5 * alpha * jnp.sum(points**2, axis=-1)
    p = nn.softmax(jnp.log(weights) + alpha * reach / sig2, axis=-1)
    mean = p @ points
    away = points - mean[..., None, :]
    covariance = jnp.einsum("...m,...mi,...mj->...ij", p, away, away)
    return Posterior(p, centre + mean, covariance, alpha * mean - x)


def _points(points: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points (M, D) and weights with sum 1."""
    if hasattr(points, "arrays"):
        return points.arrays()
    places = check_array("points", points, "an (M, D) array of two or more points, or PointMasses")
    places = places[:, None] if places.ndim == 1 else places
    if places.ndim != 2 or len(places) < 2:
        raise InputError("points", np.shape(points), "an (M, D) array of two or more points, or PointMasses")
    return places, np.full(len(places), 1.0 / len(places))
