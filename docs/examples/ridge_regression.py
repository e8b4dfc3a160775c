"""Ridge regression on isotropic data: its double descent, simulated and predicted."""

import dataclasses
import math

import jax
import jax.numpy as jnp

import simdiff


@dataclasses.dataclass(frozen=True)
class RidgeRegression(simdiff.Problem):
    """Fit y = x . beta + noise from n = d / gamma samples of x ~ N(0, I_d), |beta| = 1.

    A trial fits d targets at once, beta = each unit vector in turn, and averages over them.
    """

    gamma: float = 0.5
    ridge: float = 1e-2
    noise: float = 0.5

    name = "ridge_regression"
    metrics = (
        simdiff.Metric("risk", "|estimate - beta|^2, averaged over the targets"),
        simdiff.Metric("train", "mean squared residual"),
    )

    def samples(self, d):
        return max(1, round(d / self.gamma))

    def at_size(self, d):
        return dataclasses.replace(self, gamma=d / self.samples(d))

    def ratios(self):
        return {"n / d": 1 / self.gamma}

    def trial(self, key, d):
        n = self.samples(d)
        data, noise = jax.random.split(key)
        x = jax.random.normal(data, (n, d))
        y = x + self.noise * jax.random.normal(noise, (n, d))
        estimate = jnp.linalg.solve(x.T @ x / n + self.ridge * jnp.eye(d), x.T @ y / n)
        risk = jnp.sum((estimate - jnp.eye(d)) ** 2) / d
        return {"risk": risk, "train": jnp.mean((y - x @ estimate) ** 2)}


def theory(problem):
    """Hastie, Montanari, Rosset, Tibshirani, Annals of Statistics 50, 949 (2022), isotropic features."""
    gamma, ridge, variance = problem.gamma, problem.ridge, problem.noise**2
    root = math.sqrt((1 - gamma + ridge) ** 2 + 4 * gamma * ridge)
    m = (root - (1 - gamma + ridge)) / (2 * gamma * ridge)  # (1/d) tr (X^T X / n + ridge)^-1
    m2 = m * (1 + gamma * m) / root  # (1/d) tr (X^T X / n + ridge)^-2
    risk = ridge**2 * m2 + variance * gamma * (m - ridge * m2)
    train = ridge**2 * (m - ridge * m2) + variance * (1 - gamma + gamma * ridge**2 * m2)
    return {"risk": risk, "train": train}
