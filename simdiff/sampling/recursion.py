"""What training and sampling with linear denoisers make of one eigenvalue x of the data's covariance.

The denoiser at level (a, h) is eps(x_t) = W (x_t - a mean), W = f(Sigma_hat), with Sigma_hat and mean those
of the training data. So sampling acts on every eigenvector of Sigma_hat by itself: a step multiplies the
coordinate by keep + push f(x) and adds noise, and the sampled law is Gaussian with covariance F(Sigma_hat)
and mean G(Sigma_hat) mean. All functions are analytic in x and take complex x, too.

notation:
    C = a^2 x + h + ridge
    phi = (1 - e^{-tau C}) / C      gradient flow of length tau from W = 0; the minimiser at tau = inf
    f = sqrt(h) phi
    F: `variance`,  G: `gain`
    c = 2 for the reverse SDE, 1 for the probability flow

Continuous time. With r = 1 - c phi the variance obeys dF/dt' = 2 r F + 2 (c - 1), hence

    F = e^{2 L(horizon)} + 2 (c - 1) int_0^horizon e^{2 L(t)} dt,     L(t) = int_0^t r

For minimisers, with u = e^{-2 horizon}, rho = (x + ridge) / (u (x - 1) + 1 + ridge), omega = u rho,
e = c / (1 + ridge) and q = (1 - ridge) / (1 + ridge),

    F = rho^e u^{e-1} + (c - 1) (x + ridge) (1 - omega^q) / (1 - ridge),      G = 1 - omega^{e/2}

so F = x without ridge from an infinite horizon, and (x + ridge) / (1 - ridge) with one by the reverse SDE.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact
from numpy.polynomial import Legendre

from simdiff.sampling.schedules import Limit, Number, Steps

PerMode = Inexact[Array, " k"]
Table = Inexact[Array, "t k"]
"""One row a training time; a single one for minimisers."""

PANELS = 40
"""Panels of continuous time, each twice as long as the one before: the first is 1e-12 of the horizon."""

NODES = 16
"""Nodes a panel: 1e-12 of the value, up to training times of 1e5 and for |arg x| <= 0.7."""


class Training(NamedTuple):
    """Ridge >= 0 of every denoiser's loss; lengths of gradient flow, or None for the minimiser."""

    ridge: Number
    times: Float[Array | np.ndarray, " t"] | None = None


class SpectralFunctions(NamedTuple):
    """Functions of an eigenvalue x of Sigma_hat, each (times, k).

    The sampled law is N(gain mean, variance). With S = `slope` = <a^2 f^2> and R = `residual` =
    <(1 - sqrt(h) f)^2>, averaged over the schedule's levels, the losses are (1/d) tr of R + x S on the
    training data and of R + Sigma S on fresh data (mean 0), where a learned bias adds mean^T S mean / d.
    """

    variance: Table
    gain: Table
    residual: Table
    slope: Table


@jax.jit
def spectral_functions(plan: Steps | Limit, training: Training, x: PerMode) -> SpectralFunctions:
    """All of them at the given real or complex x."""
    return SpectralFunctions(*_sampled(plan, training, x), *_losses(plan, training, x))


def shrinkage(a: Number, h: Number, training: Training, x: PerMode) -> tuple[Table, Table]:
    """(phi, 1 - h phi) at one level, neither by a difference of like numbers."""
    signal = jnp.asarray(a**2 * x + training.ridge)
    total = signal + h
    if training.times is None:
        return (1.0 / total)[None], (signal / total)[None]
    spent = jnp.asarray(training.times)[:, None] * total
    return -jnp.expm1(-spent) / total, (signal + h * jnp.exp(-spent)) / total


def _sampled(plan: Any, training: Training, x: PerMode) -> tuple[Table, Table]:
    if not plan.continuous:
        return _stepped(plan, training, x)
    if training.times is None:
        return _closed_form(plan, training.ridge, x)
    return _integrated(plan, training, x)


def _losses(plan: Steps | Limit, training: Training, x: PerMode) -> tuple[Table, Table]:
    zero = _zeros(training, x)

    def add(total: tuple[Table, Table], level: tuple[Array, Array]) -> tuple[tuple[Table, Table], None]:
        a, h = level
        phi, left = shrinkage(a, h, training, x)
        return (total[0] + left**2, total[1] + a**2 * h * phi**2), None

    levels = (jnp.asarray(plan.a), jnp.asarray(plan.h))
    (residual, slope), _ = jax.lax.scan(add, (zero, zero), levels)
    return residual / levels[0].size, slope / levels[0].size


def _stepped(plan: Steps, training: Training, x: PerMode) -> tuple[Table, Table]:
    zero = _zeros(training, x)

    def take(state: tuple[Table, Table], step: Any) -> tuple[tuple[Table, Table], None]:
        variance, gain = state
        phi, _ = shrinkage(step.a, step.h, training, x)
        pushed = step.push * jnp.sqrt(step.h) * phi
        factor = step.keep + pushed
        return (factor**2 * variance + step.noise**2, factor * gain - step.a * pushed), None

    return jax.lax.scan(take, (zero + 1.0, zero), jax.tree.map(jnp.asarray, plan))[0]


def _closed_form(plan: Limit, ridge: Number, x: PerMode) -> tuple[Table, Table]:
    u, c = jnp.asarray(plan.start), plan.strength
    e, q = c / (1.0 + ridge), (1.0 - ridge) / (1.0 + ridge)
    rho = (x + ridge) / (u * (x - 1.0) + 1.0 + ridge)
    q = jnp.where(jnp.abs(q) < 1e-12, 1e-12, q)  # the formula's limit at ridge = 1, to rounding
    faded = jnp.where(u > 0, -jnp.expm1(q * jnp.log(jnp.where(u > 0, u * rho, 1.0))), 1.0)
    added = (c - 1.0) * (x + ridge) * faded / (q * (1.0 + ridge))
    variance = rho**e * u ** (e - 1.0) + added
    return variance[None], (1.0 - u ** (e / 2.0) * rho ** (e / 2.0))[None]


def _integrated(plan: Limit, training: Training, x: PerMode) -> tuple[Table, Table]:
    """Gauss-Legendre on panels that double in length away from t = 0, where phi varies fastest."""
    nodes, weights, antiderivative = _rule()
    edges = -0.5 * jnp.log(plan.start) * 2.0 ** jnp.arange(1.0 - PANELS, 1.0)
    starts = jnp.concatenate([jnp.zeros(1), edges[:-1]])
    c, zero = plan.strength, _zeros(training, x)

    def add(state: tuple[Table, Table, Table], panel: tuple[Array, Array]) -> tuple[Any, None]:
        exponent, noise, gain = state
        start, width = panel
        t = start + width * nodes
        a, h = jnp.exp(-t), -jnp.expm1(-2.0 * t)
        phi, _ = jax.vmap(lambda a, h: shrinkage(a, h, training, x))(a, h)
        rate = width * (1.0 - c * phi)
        grown = jnp.exp(exponent + jnp.tensordot(antiderivative, rate, 1))
        share = width * weights
        noise = noise + 2.0 * (c - 1.0) * jnp.tensordot(share, grown**2, 1)
        gain = gain + c * jnp.tensordot(share * a, grown * phi, 1)
        return (exponent + jnp.tensordot(weights, rate, 1), noise, gain), None

    (exponent, noise, gain), _ = jax.lax.scan(add, (zero, zero, zero), (starts, edges - starts))
    return jnp.exp(2.0 * exponent) + noise, gain


def _rule() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], and the matrix that integrates from 0 to every node."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    degrees = np.arange(NODES)
    basis = np.polynomial.legendre.legvander(nodes, NODES - 1)
    to_coefficients = (degrees + 0.5)[:, None] * (basis * weights[:, None]).T
    integrals = np.stack([Legendre.basis(int(k)).integ(lbnd=-1.0)(nodes) for k in degrees], axis=1)
    return 0.5 * (nodes + 1.0), 0.5 * weights, 0.5 * integrals @ to_coefficients


def _zeros(training: Training, x: PerMode) -> Table:
    rows = 1 if training.times is None else training.times.shape[0]
    return jnp.zeros((rows, x.shape[0]), jnp.result_type(x, jnp.float64))
