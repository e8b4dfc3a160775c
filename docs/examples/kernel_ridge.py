"""Ridge regression with the kernel exp(x . x' / d): linear in high dimension, with a larger ridge."""

import dataclasses
import math

import jax
import jax.numpy as jnp

import simdiff


@dataclasses.dataclass(frozen=True)
class KernelRidge(simdiff.Problem):
    """Fit y = x . beta + noise from n = psi_n d samples of x ~ N(0, I_d), |beta| = 1, by (K + ridge)^-1 y.

    A trial fits d targets at once, beta = each unit vector in turn, and averages over them.
    """

    psi_n: float = 1.5
    ridge: float = 0.1
    noise: float = 0.5

    name = "kernel_ridge"
    metrics = (
        simdiff.Metric("risk", "mean of (f(x) - x . beta)^2 over fresh x"),
        simdiff.Metric("train", "mean squared residual"),
    )

    def at_size(self, d):
        return dataclasses.replace(self, psi_n=round(self.psi_n * d) / d)

    def ratios(self):
        return {"n / d": self.psi_n}

    def cost(self, d):
        return (self.psi_n * d) ** 3 + 12.0 * self.psi_n * d**3

    def trial(self, key, d):
        n = round(self.psi_n * d)
        data, fresh, target = jax.random.split(key, 3)
        x, new = jax.random.normal(data, (n, d)), jax.random.normal(fresh, (4 * d, d))
        y = x + self.noise * jax.random.normal(target, (n, d))
        alpha = jnp.linalg.solve(jnp.exp(x @ x.T / d) + self.ridge * jnp.eye(n), y)
        found = jnp.exp(new @ x.T / d) @ alpha
        return {"risk": jnp.mean((found - new) ** 2), "train": jnp.mean((self.ridge * alpha) ** 2)}


def theory(problem):
    """El Karoui, Annals of Statistics 38, 1 (2010): K is x.x'/d + (e - 2) on the diagonal, up to its mean.

    The risk is then that of linear regression with the ridge below (Hastie et al., 2022). What the constant
    of the kernel fits is of order 1/d.
    """
    gamma, variance = 1 / problem.psi_n, problem.noise**2
    whole = math.e - 2 + problem.ridge
    ridge = gamma * whole
    root = math.sqrt((1 - gamma + ridge) ** 2 + 4 * gamma * ridge)
    m = (root - (1 - gamma + ridge)) / (2 * gamma * ridge)
    m2 = m * (1 + gamma * m) / root
    risk = ridge**2 * m2 + variance * gamma * (m - ridge * m2)
    residual = ridge**2 * (m - ridge * m2) + variance * (1 - gamma + gamma * ridge**2 * m2)
    return {"risk": risk, "train": (problem.ridge / whole) ** 2 * residual}
