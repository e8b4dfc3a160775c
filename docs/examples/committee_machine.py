"""A soft committee machine that learns online from a teacher: its generalisation error against time."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

import simdiff


@dataclasses.dataclass(frozen=True)
class CommitteeMachine(simdiff.Problem):
    """Two students follow two orthonormal teachers, activation erf(x / sqrt 2), one fresh x ~ N(0, I) a step.

    `alpha` is the number of steps over d. Students start with overlaps 0.3 and 0.1 with the teachers.
    """

    rate: float = 1.0
    alpha: float = 4.0

    name = "committee_machine"
    metrics = (
        simdiff.Metric("error", "mean of (student - teacher)^2 / 2"),
        simdiff.Metric("overlap", "of the first student with the first teacher"),
    )

    def at_size(self, d):
        return dataclasses.replace(self, alpha=round(self.alpha * d) / d)

    def ratios(self):
        return {"steps / d": self.alpha}

    def cost(self, d):
        return 60.0 * self.alpha * d**2

    def trial(self, key, d):
        teachers, students = jnp.eye(2, d), jnp.zeros((2, d)).at[:, :4].set(jnp.asarray(START))

        def step(students, key):
            x = jax.random.normal(key, (d,))
            fields, goals = students @ x, teachers @ x
            error = jnp.sum(erf(goals)) - jnp.sum(erf(fields))
            slope = jnp.sqrt(2 / jnp.pi) * jnp.exp(-(fields**2) / 2)
            return students + self.rate / d * error * slope[:, None] * x, None

        keys = jax.random.split(key, round(self.alpha * d))
        both = jnp.concatenate([jax.lax.scan(step, students, keys)[0], teachers])
        covariance = both @ both.T
        return {"error": error_of(covariance, jnp), "overlap": covariance[0, 2]}


START = ((0.3, 0.1, 0.4, 0.0), (0.1, 0.3, 0.0, 0.4))
SIGNS = (-1, -1, 1, 1)


def erf(x):
    """The activation."""
    return jax.scipy.special.erf(x / math.sqrt(2))


def error_of(c, xp):
    """Half the mean squared difference, from the covariance of fields: students first, then teachers."""
    scale = xp.sqrt(1 + xp.diagonal(c))
    return (
        xp.sum(xp.outer(xp.array(SIGNS), xp.array(SIGNS)) * xp.arcsin(c / xp.outer(scale, scale))) / math.pi
    )


def mean_3(c, i, b, a):
    """E[g'(z_i) z_b g(z_a)]: Saad and Solla, equation for I_3."""
    root = math.sqrt((1 + c[i, i]) * (1 + c[a, a]) - c[i, a] ** 2)
    return 2 / math.pi / root * (c[b, a] * (1 + c[i, i]) - c[i, b] * c[i, a]) / (1 + c[i, i])


def mean_4(c, i, k, a, b):
    """E[g'(z_i) g'(z_k) g(z_a) g(z_b)]: fields of which those of i and k are shrunk by exp(-z^2 / 2)."""
    pair = [i, k]
    inside = np.eye(2) + c[np.ix_(pair, pair)]
    cross = c[np.ix_([a, b], pair)]
    left = c[np.ix_([a, b], [a, b])] - cross @ np.linalg.solve(inside, cross.T)
    angle = left[0, 1] / math.sqrt((1 + left[0, 0]) * (1 + left[1, 1]))
    return (2 / math.pi) ** 2 * math.asin(angle) / math.sqrt(np.linalg.det(inside))


def theory(problem):
    """Saad and Solla, Physical Review E 52, 4225 (1995): closed equations for the overlaps as d grows."""

    def slope(_, flat):
        c, change = flat.reshape(4, 4), np.zeros((4, 4))
        for i, b in itertools.product(range(2), range(4)):
            change[i, b] = problem.rate * sum(SIGNS[a] * mean_3(c, i, b, a) for a in range(4))
        change[:2, :2] += change[:2, :2].T
        change[2:, :2] = change[:2, 2:].T
        for i, k in itertools.product(range(2), repeat=2):
            pairs = itertools.product(range(4), repeat=2)
            noise = sum(SIGNS[a] * SIGNS[b] * mean_4(c, i, k, a, b) for a, b in pairs)
            change[i, k] += problem.rate**2 * noise
        return change.ravel()

    fields = np.concatenate([np.array(START), np.eye(2, 4)])
    path = integrate.solve_ivp(slope, (0, problem.alpha), (fields @ fields.T).ravel(), rtol=1e-9, atol=1e-11)
    c = path.y[:, -1].reshape(4, 4)
    return {"error": float(error_of(c, np)), "overlap": float(c[0, 2])}
