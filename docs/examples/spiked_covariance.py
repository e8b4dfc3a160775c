"""Top eigenvalue and eigenvector of a sample covariance with a spike, around the transition."""

import dataclasses
import math

import jax
import jax.numpy as jnp

import simdiff


@dataclasses.dataclass(frozen=True)
class SpikedCovariance(simdiff.Problem):
    """n = d / gamma samples of N(0, I + (spike - 1) v v^T), |v| = 1, and their covariance.

    A trial draws the covariance's tridiagonal form: it has the same eigenvalues, and v is its first direction
    (Dumitriu and Edelman 2002; with a spike Bloemendal and Virag 2013).
    """

    gamma: float = 1.0
    spike: float = 2.0

    name = "spiked_covariance"
    metrics = (
        simdiff.Metric("top", "the largest eigenvalue"),
        simdiff.Metric("overlap", "(v . u)^2 with its eigenvector u"),
    )

    def at_size(self, d):
        return dataclasses.replace(self, gamma=d / round(d / self.gamma))

    def ratios(self):
        return {"n / d": 1 / self.gamma}

    def cost(self, d):
        return 4000.0 * d

    def trial(self, key, d):
        n = round(d / self.gamma)
        first, second = jax.random.split(key)
        diagonal = jnp.sqrt(jax.random.chisquare(first, n - jnp.arange(min(n, d)), dtype=float))
        below = jnp.sqrt(jax.random.chisquare(second, d - 1.0 - jnp.arange(min(n, d - 1)), dtype=float))
        diagonal = jnp.zeros(d).at[: min(n, d)].set(diagonal).at[0].multiply(math.sqrt(self.spike))
        below = jnp.zeros(d - 1).at[: min(n, d - 1)].set(below)
        a = (diagonal**2).at[1:].add(below**2) / n
        b2 = (below * diagonal[:-1] / n) ** 2
        top = largest(a, b2)
        return {"top": top, "overlap": first_component(a, b2, top)}


def largest(a, b2):
    """The largest eigenvalue of a tridiagonal matrix, diagonal a, squares b2 beside it: by bisection."""

    def below(z):
        """Whether all eigenvalues are: the pivots of z - T are positive."""
        pivot = lambda last, at: ((new := z - at[0] - at[1] / last), new)  # noqa: E731
        return jnp.all(jax.lax.scan(pivot, jnp.inf, (a, jnp.append(0.0, b2)))[1] > 0)

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        return jnp.where(below(middle), jnp.array([ends[0], middle]), jnp.array([middle, ends[1]]))

    radius = jnp.append(0.0, jnp.sqrt(b2)) + jnp.append(jnp.sqrt(b2), 0.0)
    return jnp.mean(jax.lax.fori_loop(0, 60, halve, jnp.array([jnp.max(a), jnp.max(a + radius)])))


def first_component(a, b2, z):
    """The square of the eigenvector's first component: 1 / (d/dz 1 / G_11), a continued fraction."""

    def step(last, at):
        g, slope = last
        pivot = z - at[0] - at[1] * g
        return (1 / pivot, -(1 - at[1] * slope) / pivot**2), None

    _, b2_next = a[1:], jnp.append(b2[1:], 0.0)
    (_, slope), _ = jax.lax.scan(step, (0.0 * z, 0.0 * z), (a[1:], b2_next), reverse=True)
    return 1 / (1 - b2[0] * slope)


def theory(problem):
    """Baik, Ben Arous, Peche 2005; Paul 2007. At the threshold spike = 1 + sqrt(gamma) both sides agree."""
    gamma, above = problem.gamma, problem.spike - 1
    if above <= math.sqrt(gamma):
        return {"top": (1 + math.sqrt(gamma)) ** 2, "overlap": 0.0}
    top = problem.spike * (1 + gamma / above)
    return {"top": top, "overlap": (1 - gamma / above**2) / (1 + gamma / above)}


def top(problem):
    """The eigenvalue alone: it and the overlap approach their limits with different exponents."""
    return {"top": theory(problem)["top"]}


def overlap(problem):
    """The overlap alone."""
    return {"overlap": theory(problem)["overlap"]}
