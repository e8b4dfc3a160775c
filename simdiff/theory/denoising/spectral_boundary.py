"""The fixed point on the real axis: what the spectrum of U looks like at one place x > 0.

The ridge of `fixed_point` is continued to -x - i0. There gamma / psi_p is the Stieltjes transform of
the law of the eigenvalues of U, from the side where its imaginary part is pi times the density, and
the potential

    Phi = <log D> + a_1 b_1 + a_2 b_2 + ridge gamma - psi_p log gamma
          + psi_n (kappa_1 - log kappa_1) + psi_n ((1 - i) / i) (kappa_2 - log kappa_2),

stationary in (a_1, alpha_2, gamma) and up to a constant the limit of (1/d) log det (U + ridge), counts
them: log (u - x - i0) has the imaginary part -pi at every eigenvalue u < x. No quadrature is involved.

Which solution is the right one can be read off the solution itself. The equations, written as

    gamma   = psi_p / (ridge + 1 / (1 / Y_1 + gamma / psi_n) + (1 - i) / (1 / Y_2 + i gamma / psi_n))
    a_1     = 1 / (1 / gamma + Y_1 / psi_n),     alpha_2 = 1 / (1 / gamma + i Y_2 / psi_n),

map the set where a_1, alpha_2 and gamma all have positive imaginary parts into itself when Im ridge < 0,
so that they have exactly one solution there (Earle and Hamilton's theorem). A solution at real x is its
limit if

    all three imaginary parts are positive             (x inside the support), or
    all three are real and grow with x                 (x outside: a ridge -x - i0 lifts all three).

notation: that of `fixed_point`; log D, -log kappa_1, -log kappa_2 and log gamma have arguments in [0, pi].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from simdiff.parts.traced_programs import kept_program
from simdiff.theory.denoising.fixed_point import (
    Count,
    Flag,
    Scalar,
    System,
    Triple,
    averages,
    response,
    solve_jacobian,
)

BATCH = 256
"""Places that share one call: shorter lists are filled up, so that there is one compilation."""

REAL = 1e-7
"""Imaginary parts below this fraction of the modulus are rounding: Newton's method halves its error
only, down to the root of the rounding error, where solutions merge at an edge."""

ROUNDING = 1e-13
"""Error of d log a / d log x."""

MOST_STEPS = 1500
"""Newton steps before a place is given up: about ten times what the finer path takes."""

NEAR = 0.3
"""Largest relative Newton step at which the ridge is moved on."""

LONGEST_STEP = 0.9
"""Newton steps are cut to this relative length."""

FLATTEST = 1e-10
"""Angle to the real axis from which the ridge is put onto it."""

PATHS = ((2.0, 0.1), (1.2, 0.5))
"""Factors by which radius and angle shrink in one step: at first, and where the result is not certain."""


class Boundary(NamedTuple):
    """Limits at ridge -x - i0, each an array over x.

    `below` is the fraction of eigenvalues smaller than x. `certain` is False where neither condition of
    the module's text holds: on an edge, to rounding, or where the solver failed.
    """

    a1: np.ndarray
    alpha2: np.ndarray
    gamma: np.ndarray
    below: np.ndarray
    inside: np.ndarray
    certain: np.ndarray


def boundary(system: System, x: np.ndarray, far: float) -> Boundary:
    """The fixed point at ridge -x - i0 for every x > 0 of an array; the system's own ridge is not used.

    `far` is a radius beyond the spectrum of U.
    """
    result = _batches(system, x, far, PATHS[0])
    doubt = np.flatnonzero(~result.certain)
    if doubt.size:
        again = _batches(system, x[doubt], far, PATHS[1])
        for old, new in zip(result, again, strict=True):
            old[doubt] = new
    return result


def _batches(system: System, x: np.ndarray, far: float, path: tuple[float, float]) -> Boundary:
    parts = []
    for start in range(0, x.size, BATCH):
        some = x[start : start + BATCH]
        padded = np.pad(some, (0, BATCH - some.size), mode="edge")
        whole = _limits(system, padded, np.float64(far), *map(np.float64, path))
        parts.append([np.array(field)[: some.size] for field in whole])
    return Boundary(*(np.concatenate(field) for field in zip(*parts, strict=True)))


class _State(NamedTuple):
    point: Triple
    radius: Scalar
    angle: Scalar
    size: Scalar
    steps: Count
    done: Flag


def _limit(system: System, x: Array, far: Array, shrink: Array, flatten: Array) -> tuple[Array, ...]:
    """The fields of `Boundary`: the solution followed along a ray from -i far to -i x and an arc to -x."""
    far = jnp.maximum(far, x)
    start = _State(
        point=jnp.full((3,), 1j * system.psi_p / far),
        radius=far,
        angle=jnp.full_like(x, 0.5 * jnp.pi),
        size=jnp.full_like(x, jnp.inf),
        steps=jnp.zeros((), jnp.int32),
        done=jnp.zeros((), bool),
    )
    last = lax.while_loop(
        lambda s: ~s.done & (s.steps < MOST_STEPS),
        lambda s: _advance(system, x, shrink, flatten, s),
        start,
    )
    point = tuple(last.point)
    drift = _change(system, -x + 0j, point, (0.0, 0.0, x * point[2]))
    relative = last.point.imag / jnp.abs(last.point)
    inside = jnp.any(relative > REAL)
    grows = jnp.all(jnp.sign(last.point.real) * drift.real > -ROUNDING)
    certain = last.done & jnp.where(inside, jnp.all(relative > 0), grows & jnp.all(relative > -REAL))
    below = _below(system, x, *point)
    return (*point, below, inside, certain)


@kept_program()
def _limits(system: System, x: Any, far: Any, shrink: Any, flatten: Any) -> tuple[Array, ...]:
    """`_limit` at many x."""
    return jax.vmap(_limit, in_axes=(None, 0, None, None, None))(system, x, far, shrink, flatten)


def _advance(system: System, x: Array, shrink: Array, flatten: Array, state: _State) -> _State:
    """One Newton step at the present ridge and, where that is nearly solved, a ridge further on.

    The step after a move is also the extrapolation along the tangent.
    """
    ridge = -state.radius * lax.complex(jnp.cos(state.angle), jnp.sin(state.angle))
    newton = _newton(system, ridge, tuple(state.point))
    size = jnp.sum(jnp.abs(newton))
    turning = state.radius <= x
    arrived = turning & (state.angle == 0)
    move = ~arrived & (size < NEAR)
    flatter = jnp.where(state.angle > FLATTEST, flatten * state.angle, 0.0)
    settled = (size < 1e-14) | ((size < 1e-6) & (size > 0.25 * state.size))
    return _State(
        point=state.point * (1.0 + newton * jnp.minimum(1.0, LONGEST_STEP / size)),
        radius=jnp.where(move & ~turning, jnp.maximum(state.radius / shrink, x), state.radius),
        angle=jnp.where(move & turning, flatter, state.angle),
        size=jnp.where(move, jnp.inf, size),
        steps=state.steps + 1,
        done=arrived & settled,
    )


def _newton(system: System, ridge: Array, point: tuple[Array, ...]) -> Array:
    """Relative changes of (a1, alpha2, gamma) towards a solution."""
    i, (a1, alpha2, gamma) = system.i, point
    av = averages(system, a1, alpha2)
    r1 = system.psi_n * (1.0 - a1 / gamma) - a1 * av.Y1
    r2 = system.psi_n * (1.0 - alpha2 / gamma) - i * alpha2 * av.Y2
    r3 = system.psi_p - a1 * av.Y1 - (1.0 - i) * alpha2 * av.Y2 - ridge * gamma
    return _change(system, ridge, point, (r1, r2, r3))


def _change(system: System, ridge: Array, point: tuple[Array, ...], right: tuple) -> Array:
    here = system._replace(ridge=ridge)
    a1, alpha2, gamma = point
    av = averages(here, a1, alpha2)
    return solve_jacobian(here, (a1, alpha2, av, response(here, a1, alpha2, gamma, av)), right)


def _below(system: System, x: Array, a1: Array, alpha2: Array, gamma: Array) -> Array:
    """-Im Phi / (pi psi_p). kappa_2 - 1 is formed directly: divided by i, its rounding would show."""
    i, psi_n = system.i, system.psi_n
    a2 = (1.0 - i) * alpha2
    d = 1.0 + a1 * system.s1 + a2 * system.s2
    kappa1 = a1 / gamma
    kappa2 = alpha2 / gamma
    loss = -i * alpha2 * averages(system, a1, alpha2).Y2 / psi_n  # kappa_2 - 1
    kappa2 = jnp.where(jnp.abs(loss) < 0.5, 1.0 + loss, kappa2)
    phase = (
        system.weights @ _argument(d)
        + (a1 * system.b1 + a2 * system.b2 - x * gamma).imag
        - system.psi_p * _argument(gamma)
        + psi_n * (kappa1.imag + _argument(jnp.conj(kappa1)))
        + psi_n * (1.0 - i) * (loss.imag + _argument(jnp.conj(kappa2))) / jnp.where(i > 0, i, 1.0)
    )
    return -phase / (jnp.pi * system.psi_p)


def _argument(z: Array) -> Array:
    """The argument of a number of the closed upper half-plane, in [0, pi], whatever rounding did."""
    return jnp.arctan2(jnp.maximum(z.imag, 0.0), z.real)
