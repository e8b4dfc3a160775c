"""Second-order response of the random-feature score at two ridges, which may be complex.

A trained map that is a function phi of the Gram matrix, B = -V^T phi(U), is a superposition of ridge
solutions b(z) = -V^T (U - z)^{-1}, each at the ridge -z. Its errors are then sums over pairs of ridges
of mean products of two solutions' outputs. Those products are `learning_curve`'s errors with every
square x^2 replaced by a product x x' of the two solutions' quantities: the same argument, polarised.

notation, beyond that of `fixed_point` and `learning_curve`:
    x, x'      a quantity at the first and at the second ridge;  D D' depends on both
    y_g   = b_g + <S_g / (D D')>
    delta = ridge gamma + a_1 y_1 + a_2 y_2             (the same with every prime)
    T_gh  = <S_g S_h / (D D')> + y_g y_h / delta
    G     = K (i a_1 + a_2)(i a_1' + a_2')
    form  = (c_0, c_1, c_2), standing for the function (c_0 + c_1 P + c_2 P^2) / (D D') of an eigenvalue

Along a direction of eigenvalue s the mean output of a solution is -b z on fresh noise, with
b = K (i a_1 + a_2) / D. Beyond that mean, the residuals on the signal part and on fresh noise obey

    R_sh = (G y_sh / delta, G, 0) + (a_1 a_1' T_sh1 R_1 + i a_2 alpha_2' T_sh2 R_2) / psi_n
    R_2  = (1 + G y_2 / delta, a_1 + a_1', a_1 a_1') + (a_1 a_1' T_12 R_1 + i a_2 alpha_2' T_22 R_2) / psi_n
    R_1  = R_sh + i R_2

As at equal ridges, the fixed point is used to write the determinant of the system for R_1 and R_2
without subtracting like quantities, so nothing is lost where a ridge is small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Inexact

from simdiff.parts.traced_programs import kept_program
from simdiff.theory.denoising.fixed_point import FixedPoint, PerAtom, averages, solve
from simdiff.theory.denoising.learning_curve import TheoryInputs, feature_system

BATCH = 129
"""Nodes solved in one call: compiling the solver costs more than solving, so it has one size."""

PerNode = Complex[Array, " k"]
PerPair = Complex[Array, "k l"]
Form = Complex[Array, "3 k l"]


class Nodes(NamedTuple):
    """The fixed point at k ridges -z, and the one-point functions that follow from it.

    `mass` is ridge gamma, `shrink` i a_1 + a_2, `keep` the factor by which training shrinks the mean
    residual of a sample on its signal part, `inverse` 1/D along every eigen-direction.
    """

    a1: PerNode
    alpha2: PerNode
    gamma: PerNode
    mass: PerNode
    shrink: PerNode
    keep: PerNode
    inverse: Complex[Array, "k s"]
    converged: Bool[Array, " k"]


class PairResponse(NamedTuple):
    """What fluctuations add to the errors, as forms in two ridges.

    With the mean outputs b, b' of the two solutions and b* = h / (a^2 s + h), along each direction

        test         = floor + (b - b*)(b' - b*)(a^2 s + h) / h + test form
        memorization = (1 - b)(1 - b')                          + memorization form
    """

    test: Form
    memorization: Form


class ContourResponse(NamedTuple):
    """The response at k nodes of a half contour; columns of the forms: these nodes, then conjugates."""

    nodes: Nodes
    pairs: PairResponse


def contour_response(setting: TheoryInputs, z: PerNode) -> ContourResponse:
    """Ridge solutions at the ridges -z and all their pairs, those with conjugate nodes included."""
    nodes = solve_nodes(setting, z)
    return ContourResponse(nodes, _pairs_on_contour(setting, nodes))


@kept_program(PairResponse)
def _pairs_on_contour(setting: TheoryInputs, nodes: Nodes) -> PairResponse:
    both = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.conj(leaf)]), nodes)
    return pair_response(setting, nodes, both)


def solve_nodes(setting: TheoryInputs, z: Inexact[Array, " k"]) -> Nodes:
    """The fixed point at the ridges -z; `setting.ridge` is not used. z must be off the spectrum of U.

    Every node is reached from a large positive ridge along a path that meets the negative ridges, where
    the spectrum lies, at its end at most. Above the real axis the solution sought is the only one with
    imaginary parts of a_1, alpha_2 and gamma all positive, below it the only one with all negative; a
    node is not `converged` where it is another.
    """
    filled = jnp.concatenate([z, jnp.broadcast_to(z[-1], (-z.size % BATCH,))]).astype(jnp.complex128)
    parts = [_solve_batch(setting, part) for part in filled.reshape(-1, BATCH)]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[: z.size], *parts)


@kept_program(Nodes)
def _solve_batch(setting: TheoryInputs, z: PerNode) -> Nodes:
    i = setting.i
    system = feature_system(setting)
    point = jax.vmap(lambda node: solve(system._replace(ridge=-node)))(z)
    a2 = (1.0 - i) * point.alpha2
    excess = jax.vmap(lambda a1, alpha2: averages(system, a1, alpha2).Y2)(point.a1, point.alpha2)
    return Nodes(
        a1=point.a1,
        alpha2=point.alpha2,
        gamma=point.gamma,
        mass=-z * point.gamma,
        shrink=i * point.a1 + a2,
        keep=point.a1 / point.gamma + i * point.a1 * excess / setting.psi_n,
        inverse=1.0 / (1.0 + jnp.outer(point.a1, system.s1) + jnp.outer(a2, system.s2)),
        converged=point.converged & _on_branch(z, point),
    )


def _on_branch(z: PerNode, point: FixedPoint) -> Bool[Array, " k"]:
    values = jnp.stack([point.a1, point.alpha2, point.gamma])
    lifted = values.imag * jnp.sign(z.imag) >= -1e-9 * jnp.abs(values)
    return lifted.all(axis=0)


def mean_output(setting: TheoryInputs, nodes: Nodes) -> Complex[Array, "k s"]:
    """b = K (i a_1 + a_2) / D along every direction: the mean of the solution's output is -b z."""
    return setting.mu1**2 * setting.h * nodes.shrink[:, None] * nodes.inverse


def ridge_objective(setting: TheoryInputs, nodes: Nodes) -> Complex[Array, "k s"]:
    """ridge (1/d) z^T (K + ridge)^{-1} z along every direction, K the Gram matrix of the n m pairs.

    It is the minimised loss at that ridge: (i kappa_1 + (1 - i) kappa_2) (1 + a_1 P) / D.
    """
    kappa = nodes.shrink / nodes.gamma
    return kappa[:, None] * (1.0 + nodes.a1[:, None] * signal_strength(setting)) * nodes.inverse


class _Pair(NamedTuple):
    """Quantities of all pairs of nodes: see the module's notation."""

    a1: PerPair
    a2: PerPair
    y_sh: PerPair
    y_2: PerPair
    delta: PerPair
    what: PerPair
    t_sh1: PerPair
    t_sh2: PerPair
    t_22: PerPair
    e1: PerPair
    ebar2: PerPair


def pair_response(setting: TheoryInputs, left: Nodes, right: Nodes) -> PairResponse:
    """The forms of all pairs of a node of `left` (rows) and one of `right` (columns)."""
    i, psi_n = setting.i, setting.psi_n
    pair = _pair(setting, left, right)
    gain = setting.mu1**2 * setting.h * _product(left.shrink, right.shrink)
    zero = jnp.zeros_like(gain)
    mean_2 = jnp.stack([1.0 + gain * pair.y_2 / pair.delta, left.a1[:, None] + right.a1, pair.a1])
    signal_bar = jnp.stack([gain * pair.y_sh / pair.delta, gain, zero])
    r1, r2 = _group_residuals(setting, pair, left, right, signal_bar + i * mean_2, mean_2)
    spread_sh = (pair.a1 * pair.t_sh1 * r1 + pair.a2 * pair.t_sh2 * r2) / psi_n
    spread_2 = (pair.a1 * pair.what * r1 + pair.a2 * pair.t_22 * r2) / psi_n
    noise = spread_2 + jnp.stack([gain * pair.y_2 / pair.delta, zero, zero])
    test = noise + spread_sh + jnp.stack([gain * pair.y_sh / pair.delta, zero, zero])
    recalled = _product(left.keep, right.keep) * (signal_bar + spread_sh)
    echoed = i * _product(1.0 - left.keep, 1.0 - right.keep) * r2
    return PairResponse(test, noise + recalled + echoed)


def _pair(setting: TheoryInputs, left: Nodes, right: Nodes) -> _Pair:
    i, psi_n, noise = setting.i, setting.psi_n, setting.mu1**2 * setting.h
    mean, mean_p, mean_pp = moments(signal_strength(setting), setting.weights, left.inverse, right.inverse)
    y_sh, y_2 = setting.v2 + mean_p, setting.s2 + noise * mean
    y_1 = y_sh + i * y_2
    a1, alpha2, mass = left.a1[:, None], left.alpha2[:, None], left.mass[:, None]
    delta = mass + a1 * y_1 + (1.0 - i) * alpha2 * y_2
    kappa1, kappa2 = a1 / left.gamma[:, None], alpha2 / left.gamma[:, None]
    return _Pair(
        a1=_product(left.a1, right.a1),
        a2=i * (1.0 - i) * _product(left.alpha2, right.alpha2),
        y_sh=y_sh,
        y_2=y_2,
        delta=delta,
        what=noise * (mean_p + i * noise * mean) + y_1 * y_2 / delta,
        t_sh1=mean_pp + i * noise * mean_p + y_sh * y_1 / delta,
        t_sh2=noise * mean_p + y_sh * y_2 / delta,
        t_22=noise**2 * mean + y_2**2 / delta,
        e1=psi_n * kappa1 + a1 * y_1 * right.mass / delta,
        ebar2=psi_n * kappa2 + i * alpha2 * y_2 * right.mass / delta,
    )


def _group_residuals(
    setting: TheoryInputs, pair: _Pair, left: Nodes, right: Nodes, bar_1: Form, bar_2: Form
) -> tuple[Form, Form]:
    """R_1 and R_2: the solution of R_g = Rbar_g + (a_1 a_1' T_g1 R_1 + i a_2 alpha_2' T_g2 R_2) / psi_n."""
    i, what = setting.i, pair.what
    w1 = (1.0 - i) * _product(left.a1, right.alpha2) * what
    w2 = i * _product(left.alpha2, right.a1) * what
    scale = setting.psi_n / (pair.e1 * pair.ebar2 + pair.e1 * w2 + pair.ebar2 * w1)
    r1 = scale * ((pair.ebar2 + w2) * bar_1 + pair.a2 * what * bar_2)
    r2 = scale * (pair.a1 * what * bar_1 + (pair.e1 + w1) * bar_2)
    return r1, r2


def _product(left: Complex[Array, " k"], right: Complex[Array, " l"]) -> Complex[Array, "k l"]:
    return left[:, None] * right


def moments(signal: Any, weights: Any, left: Any, right: Any) -> list[Any]:
    """<P^q / (D D')> for q = 0, 1, 2 under any `weights` (s,), from 1/D (k, s) and 1/D' (l, s): 3 of (k, l).

    The sum over q of a form times these is the form's average. For NumPy or JAX arrays.
    """
    return [(left * (weights * signal**power)) @ right.T for power in range(3)]


def signal_strength(setting: TheoryInputs) -> PerAtom:
    """P = mu1^2 a^2 s along every direction."""
    return setting.mu1**2 * setting.a2 * setting.eigenvalues
