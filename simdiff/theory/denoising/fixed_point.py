"""The fixed point behind every learning curve of random features at any number m of noise draws.

Rotating the m draws of each sample into their mean direction and m - 1 orthogonal ones leaves two
independent groups of Gaussian rows: n with covariance S_1(s) along an eigenvector of eigenvalue s and
excess b_1 per feature, and n(m - 1) with S_2, b_2. The resolvent of their Gram matrix U is then given
by three numbers.

notation:
    i = 1/m, <.> = average over the spectrum of the data covariance
    gamma = lim (1/d) tr (U + ridge)^{-1}
    kappa_1, kappa_2 = factors by which training residuals of each group shrink (k_1 = kappa_1 and
                       k_2 = (1 - i) kappa_2 in the two-constant form of the equations)
    a_1 = kappa_1 gamma, alpha_2 = kappa_2 gamma, a_2 = (1 - i) alpha_2
    D(s) = 1 + a_1 S_1 + a_2 S_2,  Y_g = b_g + <S_g / D>,  y_g = b_g + <S_g / D^2>

In these variables the equations are, for every m from 1 to infinity without a special case,

    r_1 = psi_n (1 - kappa_1) - a_1 Y_1             = 0
    r_2 = psi_n (1 - kappa_2) - i alpha_2 Y_2       = 0
    r_3 = psi_p - a_1 Y_1 - a_2 Y_2 - ridge gamma   = 0

The solution is the maximum of a strictly concave function of (log a_1, log alpha_2, log gamma) (for
0 < i < 1; combinations of r_1, r_2, r_3 are its gradient), so it is unique. It is followed from a large
ridge down to the one asked for. Newton steps are solved without subtracting like quantities, so
relative accuracy survives ridge -> 0, where some unknowns vanish and others diverge.

Source: George, Veiga, Macris, arXiv 2502.00336, for m = 1 and m = infinity.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Num

Scalar = Num[Array, ""]
Triple = Num[Array, " 3"]
PerAtom = Float[Array, " s"]
Count = Int[Array, ""]
Flag = Bool[Array, ""]

MAX_ITERATIONS = 200
"""Newton steps before a point is declared not converged."""

TOLERANCE = 1e-8
"""Largest relative correction the last Newton step may make for a point to count as converged."""

STRIDE = 1.5
"""Longest step in log ridge while the solution is followed down."""

NEAR = 0.3
"""Largest Newton step in the logarithms at which the ridge is lowered further."""

LONGEST_STEP = 2.0
"""Newton steps in the logarithms are cut to this length."""


class System(NamedTuple):
    """What the fixed point depends on; see the module's notation. `s`-arrays run over the spectrum."""

    psi_n: Scalar
    psi_p: Scalar
    i: Scalar
    ridge: Scalar
    s1: PerAtom
    s2: PerAtom
    b1: Scalar
    b2: Scalar
    weights: PerAtom


class FixedPoint(NamedTuple):
    """The solution, and whether to believe it.

    `error` is the relative change of (a1, alpha2, gamma), added up, that the last Newton step made: an
    estimate from above of the error left.
    """

    a1: Scalar
    alpha2: Scalar
    gamma: Scalar
    error: Scalar
    converged: Flag
    iterations: Count


class Averages(NamedTuple):
    """Spectral averages at a point (a1, alpha2); `overlap` is <S_1 S_2 / D^2>."""

    Y1: Scalar
    Y2: Scalar
    y1: Scalar
    y2: Scalar
    overlap: Scalar


class _State(NamedTuple):
    x: Triple
    left: Count
    size: Scalar
    steps: Count
    done: Flag


def solve(system: System) -> FixedPoint:
    """Solve the fixed point of one system (vmap it for many), in the dtype of `system`.

    The solution is followed from a ridge so large that it is known, down to the ridge asked for, in
    equal steps of the logarithm; every step extrapolates along the tangent and corrects by Newton.
    Never raises: look at `converged`.
    """
    far = _large_ridge(system)
    path = jnp.log(far) - jnp.log(system.ridge)
    stages = jnp.ceil(jnp.abs(path) / STRIDE).astype(jnp.int32)
    stride = path / jnp.maximum(stages, 1)
    x = jnp.broadcast_to(jnp.log(system.psi_p / far), (3,)).astype(stride.dtype)
    large = jnp.full_like(system.b1, jnp.inf)
    first = _State(x, stages, large, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    last = lax.while_loop(
        lambda s: ~s.done & (s.steps < MAX_ITERATIONS), lambda s: _advance(system, stride, s), first
    )
    a1, alpha2, gamma = jnp.exp(last.x)
    return FixedPoint(a1, alpha2, gamma, last.size, last.done & (last.size <= TOLERANCE), last.steps)


def averages(system: System, a1: Array, alpha2: Array) -> Averages:
    """Y_g, y_g and <S_1 S_2 / D^2>."""
    inverse = 1.0 / (1.0 + a1 * system.s1 + (1.0 - system.i) * alpha2 * system.s2)

    def mean(values: Array) -> Array:
        return jnp.sum(system.weights * values)

    return Averages(
        Y1=system.b1 + mean(system.s1 * inverse),
        Y2=system.b2 + mean(system.s2 * inverse),
        y1=system.b1 + mean(system.s1 * inverse**2),
        y2=system.b2 + mean(system.s2 * inverse**2),
        overlap=mean(system.s1 * system.s2 * inverse**2),
    )


class Response(NamedTuple):
    """The 2 x 2 response of the two groups, in a form whose determinant is a sum of positive terms.

    The linear systems of the Newton step and of the second-order quantities share the matrix
    ``[[e1 + w, -w_12], [-w_21, ebar2 + i wbar]]``, where w = (1 - i) wbar, and delta > 0.
    """

    e1: Scalar
    ebar2: Scalar
    wbar: Scalar
    what: Scalar
    delta: Scalar
    determinant: Scalar


def response(system: System, a1: Array, alpha2: Array, gamma: Array, av: Averages) -> Response:
    """e_1 = psi_n kappa_1 + a_1 y_1 ridge gamma / delta, and so on, at any (a1, alpha2, gamma)."""
    i, mass = system.i, system.ridge * gamma
    delta = mass + a1 * av.y1 + (1.0 - i) * alpha2 * av.y2
    what = av.overlap + av.y1 * av.y2 / delta
    wbar = a1 * alpha2 * what
    e1 = system.psi_n * a1 / gamma + a1 * av.y1 * mass / delta
    ebar2 = system.psi_n * alpha2 / gamma + i * alpha2 * av.y2 * mass / delta
    determinant = e1 * ebar2 + (i * e1 + (1.0 - i) * ebar2) * wbar
    return Response(e1, ebar2, wbar, what, delta, determinant)


def _large_ridge(system: System) -> Array:
    """A ridge at which gamma = psi_p / ridge and kappa_1 = kappa_2 = 1 to about ten percent."""
    variance = system.b1 + system.b2 + jnp.sum(system.weights * (system.s1 + system.s2))
    load = 10.0 * variance * (1.0 + system.psi_p / system.psi_n + system.psi_p)
    return jnp.maximum(load, jnp.abs(system.ridge))


def _advance(system: System, stride: Array, state: _State) -> _State:
    """One Newton correction at the present ridge and, where that is nearly solved, a smaller ridge."""
    here = system._replace(ridge=system.ridge * jnp.exp(state.left * stride))
    newton, tangent = _steps(here, state.x)
    size = jnp.sum(jnp.abs(newton))  # a sum keeps nan; XLA's maximum over an axis may drop it
    x = state.x + newton * jnp.minimum(1.0, LONGEST_STEP / size)
    move = (state.left > 0) & (size < NEAR)
    settled = (size < 1e-14) | ((size < 1e-6) & (size > 0.25 * state.size))
    return _State(
        jnp.where(move, x - stride * tangent, x),
        state.left - move,
        jnp.where(move, jnp.inf, size),
        state.steps + 1,
        (state.left == 0) & settled,
    )


def _steps(system: System, x: Array) -> tuple[Array, Array]:
    """The Newton step at x, and d x / d log ridge along the solution, x = log (a1, alpha2, gamma).

    Each equation enters as log(its positive terms / its constant), which Newton solves from afar.
    """
    i = system.i
    a1, alpha2, gamma = jnp.exp(x)
    av = averages(system, a1, alpha2)
    taken1, taken2, mass = a1 * av.Y1, alpha2 * av.Y2, system.ridge * gamma
    f1 = system.psi_n * jnp.exp(x[0] - x[2]) + taken1
    f2 = system.psi_n * jnp.exp(x[1] - x[2]) + i * taken2
    f3 = taken1 + (1.0 - i) * taken2 + mass
    rs = response(system, a1, alpha2, gamma, av)
    zero = jnp.zeros_like(mass)
    both = solve_jacobian(
        system,
        (a1, alpha2, av, rs),
        (
            jnp.stack([f1 * jnp.log(system.psi_n / f1), zero]),
            jnp.stack([f2 * jnp.log(system.psi_n / f2), zero]),
            jnp.stack([f3 * jnp.log(system.psi_p / f3), -mass]),
        ),
    )
    return both[:, 0], both[:, 1]


def solve_jacobian(
    system: System, at: tuple[Array, Array, Averages, Response], right: tuple[Array, Array, Array]
) -> Array:
    """The change of x that changes the positive terms of the three equations by `right`."""
    i, (a1, alpha2, av, rs), (r1, r2, r3) = system.i, at, right
    taken1, taken2 = a1 * av.y1, alpha2 * av.y2
    q1, q2 = r1 - taken1 * r3 / rs.delta, r2 - i * taken2 * r3 / rs.delta
    w = (1.0 - i) * rs.wbar
    # Changes of log kappa_1 and log kappa_2, once gamma is eliminated.
    e1 = ((rs.ebar2 + i * rs.wbar) * q1 + w * q2) / rs.determinant
    e2 = (i * rs.wbar * q1 + (rs.e1 + w) * q2) / rs.determinant
    e3 = (r3 - taken1 * e1 - (1.0 - i) * taken2 * e2) / rs.delta
    return jnp.stack([e1 + e3, e2 + e3, e3])
