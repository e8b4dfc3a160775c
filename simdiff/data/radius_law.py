"""Laws of the radius of elliptical data: finitely many values, or Student's.

r^2 is scaled to mean 1. Student's law of `df` degrees of freedom is r^2 = (df - 2) / chi^2_df, so that x =
r g is a multivariate t vector of unit variance; df > 2 makes the variance finite, df > 4 its fluctuations.
"""

from __future__ import annotations

import abc
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.engine.random_numbers import uniform_rows

Rule = tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]
"""Squared radii and their weights, which add up to 1."""

MOST_NODES = 1024
"""Radii that a density of x sums over."""


class RadiusLaw(abc.ABC):
    """The law of r^2."""

    @abc.abstractmethod
    def rule(self) -> Rule:
        """The law itself, or a quadrature good to rounding for functions that grow no faster than r^2."""

    @abc.abstractmethod
    def density_rule(self, d: int) -> Rule | None:
        """A quadrature for densities of x in d dimensions; None where it would have too many nodes."""


@dataclasses.dataclass(frozen=True)
class Values(RadiusLaw):
    """Finitely many squared radii of mean 1."""

    squares: tuple[float, ...]
    weights: tuple[float, ...]

    def rule(self) -> Rule:
        """The law."""
        return np.array(self.squares), np.array(self.weights)

    def density_rule(self, d: int) -> Rule | None:
        """The law, where it has few values."""
        return self.rule() if len(self.squares) <= MOST_NODES else None


@dataclasses.dataclass(frozen=True)
class Student(RadiusLaw):
    """r^2 = (df - 2) / chi^2_df."""

    df: float

    def rule(self) -> Rule:
        """The trapezoidal rule in the logits of levels of two laws: this one, and r^2 times it.

        Under the law with density r^2 times that of chi^2_df, the degrees of freedom are df - 2. A mixture of
        both in equal shares is reweighted to the law, so that neither 1 nor r^2 has an error.
        """
        from scipy.special import expit  # late: it takes longer to load than all data laws

        shapes = (0.5 * self.df, 0.5 * self.df - 1.0)
        logits = np.arange(-36.0, 36.0, 0.05)
        mass = expit(logits) * expit(-logits)
        squares = np.concatenate([(self.df - 2.0) / (2.0 * _gamma_quantile(a, logits)) for a in shapes])
        shares = np.tile(0.5 * mass / mass.sum(), 2)
        weights = 2.0 * shares / (1.0 + squares)
        return squares, weights / weights.sum()

    def density_rule(self, d: int) -> Rule | None:
        """The trapezoidal rule in log r^2; its steps are 0.7 of sqrt(2/d), to which x tells log r^2."""
        from scipy.special import gammaln

        shape = 0.5 * self.df
        ends = np.log((self.df - 2.0) / (2.0 * _gamma_quantile(shape, np.array([25.0, -25.0]))))
        step = min(0.7 * math.sqrt(2.0 / d), 0.1)
        logs = np.arange(ends[0], ends[1] + step, step)
        chi = (self.df - 2.0) * np.exp(-logs)
        density = np.exp(shape * np.log(0.5 * chi) - 0.5 * chi - gammaln(shape))
        return np.exp(logs), density / density.sum()


def _gamma_quantile(shape: float, logits: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Quantiles of the gamma law of this shape at levels expit(logits), accurate in both tails."""
    from scipy.special import expit, gammainccinv, gammaincinv

    lower, upper = gammaincinv(shape, expit(logits)), gammainccinv(shape, expit(-logits))
    tiny = np.finfo(np.float64).tiny
    return np.maximum(np.where(logits < 0, lower, upper), tiny)


def value_rows(key: Array, rows: Array, squares: Array, edges: Array) -> Float[Array, " r"]:
    """Squared radii of the given rows out of finitely many; `edges` are cumulated weights."""
    chosen = jnp.searchsorted(edges, uniform_rows(key, rows), side="right")
    return squares[jnp.minimum(chosen, squares.size - 1)]


def student_rows(key: Array, rows: Array, df: Array) -> Float[Array, " r"]:
    """Squared radii of the given rows by Student's law."""

    def row(index: Array) -> Array:
        return jax.random.gamma(jax.random.fold_in(key, index), 0.5 * df, dtype=jnp.float64)

    return (df - 2.0) / (2.0 * jax.vmap(row)(rows))
