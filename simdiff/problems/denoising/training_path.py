"""A network that is trained by a filter of the Gram matrix's eigenvalues, and its errors along the way.

B(tau) = -L^T diag(phi(tau)) R, where only the k x t array phi depends on time. With the eigenvectors Q of
U, L = Q^T V and R = Q^T; when n m < p, with those of K = F F^T / N instead, L = Q^T Z / N and R = Q^T F.
Every error is a quadratic form in B, so a k x k matrix holds it for all times.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclasses.dataclass(frozen=True)
class TrainingPath:
    """The factors of B; `phi` has one column per time."""

    left: Float[Array, "k d"]
    right: Float[Array, "k p"]
    phi: Float[Array, "k t"]

    def quadratic(
        self, u: Float[Array, "p p"], v: Float[Array, "p d"], constant: Array, share: Float[Array, " d"]
    ) -> Float[Array, " t"]:
        """sum_i share_i [constant + 2 B V + B U B^T]_ii at every time; shares add up to 1."""
        kind = self.right.dtype
        weighted = self.left * share.astype(kind)
        linear = jnp.sum(weighted * (self.right @ v.astype(kind)), axis=1)
        square = (weighted @ self.left.T) * (self.right @ u.astype(kind) @ self.right.T)
        return constant - 2 * linear @ self.phi + jnp.sum(self.phi * (square @ self.phi), axis=0)

    def network(self, time: Array) -> Float[Array, "d p"]:
        """B at the time of this number."""
        return -(self.left * self.phi[:, time, None]).T @ self.right

    def squared_norm(self) -> Float[Array, " t"]:
        """||B||_F^2: the rows of `right` are orthogonal."""
        each = jnp.sum(self.left**2, axis=1) * jnp.sum(self.right**2, axis=1)
        return each @ self.phi**2
