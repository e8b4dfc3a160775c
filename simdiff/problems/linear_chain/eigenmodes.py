"""The eigenmodes of a training set's covariance, from the smaller of two Gram matrices.

With fewer samples than dimensions the modes of eigenvalue zero are not computed: they are one block, the
orthogonal complement of the others, and what is needed of it follows from totals.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.engine.symmetric_products import symmetric_product


class Eigenmodes(NamedTuple):
    """Sigma_hat = sum_k values_k v_k v_k^T over the k rows v of `vectors`, orthonormal or zero.

    `values` has a last entry 0 more: that of the complement of the rows, which is empty if `whole`. A row of
    zeros stands for nothing. Eigenvalues beyond the rank of Sigma_hat are exactly 0.
    """

    values: Float[Array, " r"]
    vectors: Float[Array, "k d"]
    whole: bool

    def in_float64(self) -> Eigenmodes:
        """The same numbers in that type."""
        return self._replace(values=self.values.astype(jnp.float64), vectors=self.vectors.astype(jnp.float64))

    def weights(self, w: Float[Array, " d"]) -> Float[Array, " r"]:
        """o with tr diag(w) g(Sigma_hat) = sum_k o_k g(values_k)."""
        found = self.vectors**2 @ w
        rest = 0.0 if self.whole else jnp.sum(w) - jnp.sum(found)
        return jnp.append(found, rest)

    def trace(self, w: Float[Array, " d"], g: Float[Array, "t r"]) -> Float[Array, " t"]:
        """(1/d) tr diag(w) g(Sigma_hat), from g at `values`; g may be infinite where there is no mode."""
        weights = self.weights(w)
        return jnp.sum(jnp.where(weights != 0.0, weights * g, 0.0), axis=1) / w.size

    @property
    def coordinate_values(self) -> Float[Array, " c"]:
        """Eigenvalues of the coordinates that `coordinates` and `embed` use."""
        if self.whole:
            return self.values[:-1]
        return jnp.concatenate([self.values[:-1], jnp.zeros(self.vectors.shape[1])])

    def coordinates(self, x: Float[Array, "*n d"]) -> Float[Array, "*n c"]:
        """Coordinates along the rows, followed by those in the complement (as a vector of R^d)."""
        along = x @ self.vectors.T
        return along if self.whole else jnp.concatenate([along, x - along @ self.vectors], axis=-1)

    def embed(self, y: Float[Array, "*n c"]) -> Float[Array, "*n d"]:
        """The vector with these coordinates; the part of the complement's that is not in it is left out."""
        count = self.vectors.shape[0]
        x = y[..., :count] @ self.vectors
        if self.whole:
            return x
        beyond = y[..., count:]
        return x + beyond - (beyond @ self.vectors.T) @ self.vectors


def eigenmodes(x: Float[Array, "n d"], rank: Array, dual: bool) -> Eigenmodes:
    """The modes of x^T x, whose rank is known; `dual` decomposes x x^T instead."""
    gram = symmetric_product(x if dual else x.T)
    values, vectors = jnp.linalg.eigh(gram)
    real = jnp.arange(values.size) >= values.size - rank
    values = jnp.where(real, jnp.maximum(values, 0.0), 0.0)
    rows = vectors.T
    if dual:
        scale = jnp.where(values > 0, values, 1.0)
        rows = jnp.where(values > 0, 1.0, 0.0)[:, None] * (rows @ x) / jnp.sqrt(scale)[:, None]
    return Eigenmodes(jnp.append(values, 0.0), rows, not dual)
