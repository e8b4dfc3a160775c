"""The LASSO on a sparse signal: mean squared error and share of nonzero estimates."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from scipy import optimize, stats

import simdiff


@dataclasses.dataclass(frozen=True)
class Lasso(simdiff.Problem):
    """Minimise |y - A b|^2 / 2 + penalty |b|_1 for y = A b0 + noise, A an (n, d) matrix of N(0, 1/n) entries.

    A share `density` of the signal b0 is 1, the rest is 0; n = delta d.
    """

    delta: float = 0.7
    density: float = 0.2
    noise: float = 0.3
    penalty: float = 0.4

    name = "lasso"
    metrics = (
        simdiff.Metric("mse", "|b - b0|^2 / d"),
        simdiff.Metric("active", "share of estimates that are not 0"),
    )

    def at_size(self, d):
        return dataclasses.replace(self, delta=round(self.delta * d) / d, density=round(self.density * d) / d)

    def ratios(self):
        return {"n / d": self.delta, "share of signal": self.density}

    def cost(self, d):
        return 1200.0 * d * self.delta * d

    def trial(self, key, d):
        n, matrix, noise = round(self.delta * d), *jax.random.split(key)
        signal = jnp.where(jnp.arange(d) < round(self.density * d), 1.0, 0.0)
        a = jax.random.normal(matrix, (n, d)) / math.sqrt(n)
        y = a @ signal + self.noise * jax.random.normal(noise, (n,))
        b = fista(a, y, self.penalty)
        return {"mse": jnp.sum((b - signal) ** 2) / d, "active": jnp.mean(b != 0)}


def fista(a, y, penalty, steps=300):
    """Beck and Teboulle 2009; the step allows for a largest eigenvalue 40% above its limit."""
    step = 1 / (1.4 * (1 + math.sqrt(a.shape[1] / a.shape[0])) ** 2)

    def one(k, state):
        b, ahead = state
        moved = ahead - step * (a.T @ (a @ ahead - y))
        new = jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - step * penalty, 0.0)
        return new, new + k / (k + 3.0) * (new - b)

    zero = jnp.zeros(a.shape[1], a.dtype)
    return jax.lax.fori_loop(0, steps, one, (zero, zero))[0]


def theory(problem):
    """Bayati and Montanari, IEEE Trans. Inf. Theory 58, 1997 (2012): state evolution, in closed form here."""
    delta, density, noise = problem.delta, problem.density, problem.noise

    def scalar(theta, tau):
        """Mean squared error of the threshold theta on b0 + tau Z, and the share that passes it."""
        active, mse = 0.0, 0.0
        for weight, value in ((density, 1.0), (1 - density, 0.0)):
            passes = 0.0
            for edge in ((theta - value) / tau, (theta + value) / tau):  # on either side
                passes += stats.norm.sf(edge)
                mse += weight * (tau**2 + theta**2) * stats.norm.sf(edge)
                mse += weight * tau * (tau * edge - 2 * theta) * stats.norm.pdf(edge)
            mse += weight * value**2 * (1 - passes)
            active += weight * passes
        return mse, active

    def level(ratio):
        """The tau of the fixed point with threshold ratio * tau."""
        gap = lambda tau: noise**2 + scalar(ratio * tau, tau)[0] / delta - tau**2  # noqa: E731
        return optimize.brentq(gap, noise, 100.0, xtol=1e-13)

    def excess(ratio):
        tau = level(ratio)
        return ratio * tau * (1 - scalar(ratio * tau, tau)[1] / delta) - problem.penalty

    ratio = optimize.brentq(excess, smallest(delta), 50.0, xtol=1e-12)
    mse, active = scalar(ratio * level(ratio), level(ratio))
    return {"mse": float(mse), "active": float(active)}


def smallest(delta):
    """The ratio of threshold to noise below which the fixed point runs away."""
    gap = lambda a: (1 + a**2) * stats.norm.sf(a) - a * stats.norm.pdf(a) - delta / 2  # noqa: E731
    return optimize.brentq(gap, 0.0, 50.0) + 1e-3 if delta < 1 else 1e-3
