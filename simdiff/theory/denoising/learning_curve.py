"""Learning curves of random-feature denoising at any number m of noise draws and any spectrum.

Errors come from the second-order response of the fixed point at equal ridges. Because group 1 is the
sum of a signal part (``sh``: covariance P(s), excess v2, no noise target) and i times group 2, and
fresh data the sum of the signal part and group 2, two functions of an eigenvalue s give everything:

    R_sh(s), R_2(s):  mean squared residual on the signal part and on fresh noise
    test          = <R_sh + R_2>
    train         = <kappa_1^2 (R_sh + i R_2) + (1 - i) kappa_2^2 R_2>
    memorization  = <(1 - th)^2 R_sh + (1 + i th^2) R_2>,   1 - th = kappa_1 + i a_1 Y_2 / psi_n
    score         = <R_sh + R_2 - floor> / h,               floor = <a^2 s / (a^2 s + h)>
    objective     = kappa <(1 + a_1 P) / D>,                kappa = i kappa_1 + (1 - i) kappa_2

Every expression below is a sum of positive terms, so errors keep their relative accuracy where they
vanish with the ridge (train, once p > n m) and where they diverge (p = n m).

notation, beyond that of `fixed_point`:
    P(s) = mu1^2 a^2 s,  K = mu1^2 h         signal and noise strength of the linear part of a feature
    mu1, v2, s2                              constants of the activation, see `quadrature`
    delta = psi_p - <(x / D)^2>,  x = a_1 S_1 + a_2 S_2
    T_gh = <S_g S_h / D^2> + y_g y_h / delta     (gamma^-2 lim (1/d) tr C_g Q C_h Q)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from simdiff.parts.traced_programs import kept_program
from simdiff.theory.denoising.fixed_point import (
    FixedPoint,
    PerAtom,
    Scalar,
    System,
    averages,
    response,
    solve,
)


class TheoryInputs(NamedTuple):
    """One point of the theory. All float64; `s`-arrays run over the spectrum, weights sum to 1.

    a2 = e^{-2t} and h = 1 - e^{-2t} at time t; i = 1/m, 0 at m = infinity; an atom of weight zero
    changes nothing, so spectra of different lengths can be padded to share one call.
    """

    psi_n: Scalar
    psi_p: Scalar
    i: Scalar
    ridge: Scalar
    a2: Scalar
    h: Scalar
    mu1: Scalar
    v2: Scalar
    s2: Scalar
    eigenvalues: PerAtom
    weights: PerAtom


class Directions(NamedTuple):
    """Errors resolved by eigen-direction: each averages over `weights` to the total of its name."""

    test: PerAtom
    train: PerAtom
    score: PerAtom
    memorization: PerAtom


class LearningCurve(NamedTuple):
    """Totals per dimension, the same resolved by eigen-direction, and whether the solver converged."""

    test: Scalar
    train: Scalar
    score: Scalar
    memorization: Scalar
    objective: Scalar
    directions: Directions
    point: FixedPoint

    @property
    def converged(self) -> Bool[Array, "..."]:
        """False where the numbers must not be used."""
        return self.point.converged


def learning_curve(setting: TheoryInputs) -> LearningCurve:
    """All errors of the ridge minimiser at one point; `learning_curves` is its vmapped, compiled form.

    test = (1/d) E ||sqrt(h) s_A(x_t) + z||^2 on fresh data, train the same over the n m training
    pairs, score = (test - floor) / h, memorization on training samples with fresh noise, and
    objective = train + ridge ||B||_F^2 / d, the minimised loss.

    Source: George, Veiga, Macris, arXiv 2502.00336 (m = 1 and m = infinity); the same argument on
    the two groups of `fixed_point` for any m.
    """
    system = feature_system(setting)
    point = solve(system)
    directions = _directions(setting, system, point)
    totals = {name: setting.weights @ values for name, values in directions._asdict().items()}
    objective = _objective(setting, system, point)
    return LearningCurve(**totals, objective=objective, directions=directions, point=point)


@kept_program(LearningCurve, Directions, FixedPoint)
def learning_curves(settings: TheoryInputs) -> LearningCurve:
    """`learning_curve` for a batch: every field of the settings has a leading axis."""
    return jax.vmap(learning_curve)(settings)


def feature_system(setting: TheoryInputs) -> System:
    """The two groups of Gaussian rows that the features of the n m training pairs amount to."""
    signal, noise = strengths(setting)
    i = setting.i
    return System(
        psi_n=setting.psi_n,
        psi_p=setting.psi_p,
        i=i,
        ridge=setting.ridge,
        s1=signal + i * noise,
        s2=jnp.broadcast_to(noise, signal.shape),
        b1=setting.v2 + i * setting.s2,
        b2=setting.s2,
        weights=setting.weights,
    )


def strengths(setting: TheoryInputs) -> tuple[Any, Any]:
    """Variance of the features' linear part along each direction: of the data (per atom), of the noise."""
    return setting.mu1**2 * setting.a2 * setting.eigenvalues, setting.mu1**2 * setting.h


class _Resolved(NamedTuple):
    """Residuals per direction; `excess` is test minus the Bayes floor."""

    signal: PerAtom
    noise: PerAtom
    excess: PerAtom


def _directions(setting: TheoryInputs, system: System, point: FixedPoint) -> Directions:
    i = setting.i
    kappa1, kappa2 = point.a1 / point.gamma, point.alpha2 / point.gamma
    keep = kappa1 + i * point.a1 * averages(system, point.a1, point.alpha2).Y2 / setting.psi_n
    signal, noise, excess = _residuals(setting, system, point)
    return Directions(
        test=signal + noise,
        train=kappa1**2 * (signal + i * noise) + (1.0 - i) * kappa2**2 * noise,
        score=excess / setting.h,
        memorization=keep**2 * signal + (1.0 + i * (1.0 - keep) ** 2) * noise,
    )


def _residuals(setting: TheoryInputs, system: System, point: FixedPoint) -> _Resolved:
    """R_g = Rbar_g + (a_1^2 T_g1 R_1 + i a_2 alpha_2 T_g2 R_2) / psi_n for g = sh, 1, 2.

    The 2 x 2 system for R_1 and R_2 has the response matrix of the fixed point.
    """
    i, psi_n = setting.i, setting.psi_n
    signal, noise = strengths(setting)
    a1, alpha2 = point.a1, point.alpha2
    a2 = (1.0 - i) * alpha2
    av = averages(system, a1, alpha2)
    rs = response(system, a1, alpha2, point.gamma, av)
    inverse = 1.0 / (1.0 + a1 * system.s1 + a2 * system.s2)

    def mean(values: Array) -> Array:
        return setting.weights @ (values * inverse**2)

    y_sh = setting.v2 + mean(signal)
    gain = noise * (i * a1 + a2) ** 2 * inverse**2
    bar_sh = gain * (signal + y_sh / rs.delta)
    bar_2 = ((1.0 + a1 * signal) * inverse) ** 2 + gain * av.y2 / rs.delta
    bar_1 = bar_sh + i * bar_2
    cross = i * a2 * alpha2
    r1 = psi_n * ((rs.ebar2 + i * rs.wbar) * bar_1 + cross * rs.what * bar_2) / rs.determinant
    r2 = psi_n * (a1**2 * rs.what * bar_1 + (rs.e1 + (1.0 - i) * rs.wbar) * bar_2) / rs.determinant
    t_sh1 = mean(signal * system.s1) + y_sh * av.y1 / rs.delta
    t_sh2 = mean(signal * system.s2) + y_sh * av.y2 / rs.delta
    t_22 = mean(system.s2**2) + av.y2**2 / rs.delta
    spread = (a1**2 * (t_sh1 + rs.what) * r1 + cross * (t_sh2 + t_22) * r2) / psi_n
    excess = _bayes_gap(setting, system, point, inverse) + gain * (y_sh + av.y2) / rs.delta + spread
    return _Resolved(bar_sh + (a1**2 * t_sh1 * r1 + cross * t_sh2 * r2) / psi_n, r2, excess)


def _bayes_gap(setting: TheoryInputs, system: System, point: FixedPoint, inverse: Array) -> Array:
    """(b - b*)^2 (a^2 s + h) / h: the mean network shrinks x_t by b where Bayes shrinks it by b*.

    b = K (i a_1 + a_2) / D and b* = h / (a^2 s + h), so (1 - b)^2 + b^2 a^2 s / h is the floor
    a^2 s / (a^2 s + h) plus this. Written without the difference of b and b*.
    """
    signal, _ = strengths(setting)
    variance = setting.a2 * setting.eigenvalues + setting.h
    difference = ((1.0 - setting.i) * (point.alpha2 - point.a1) * signal - 1.0) * inverse
    return setting.h * difference**2 / variance


def _objective(setting: TheoryInputs, system: System, point: FixedPoint) -> Array:
    """Objective = train + ridge ||B||^2 / d = 1 + (1/d) tr B V at the minimiser B = -V^T (U + ridge)^{-1}.

    (1/d) tr B V is the mean of (1/d) z . B f over the training pairs. On fresh pairs that mean is
    l = -(i a_1 + a_2) K <1/D>; on training pairs residuals shrink: 1 + (1/d) tr B V = kappa (1 + l).
    """
    i = setting.i
    signal, _ = strengths(setting)
    inverse = 1.0 / (1.0 + point.a1 * system.s1 + (1.0 - i) * point.alpha2 * system.s2)
    kappa = (i * point.a1 + (1.0 - i) * point.alpha2) / point.gamma
    return kappa * (setting.weights @ ((1.0 + point.a1 * signal) * inverse))
