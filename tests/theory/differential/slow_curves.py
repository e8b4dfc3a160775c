"""Learning curves as docs/theory.md and the papers write them, in arithmetic of many digits.

Nothing is rearranged to avoid cancellation, nothing is shared with simdiff: the fixed point in (k1, k2,
gamma) by Newton's method with differences for derivatives, followed down from a large ridge, and
second-order quantities by the formulas for a pair of equal ridges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import mpmath
from mpmath import mpf
from slow_constants import DIGITS, slow_constants

SMALL = mpf(10) ** -40
STRIDE = mpf("1.5")


def _power_law(exponent: float, atoms: int) -> list[tuple[float, float]]:
    values = [k**-exponent for k in range(1, atoms + 1)]
    return [(value * atoms / sum(values), 1 / atoms) for value in values]


SPECTRA: dict[str, list[tuple[float, float]]] = {
    "isotropic": [(1.0, 1.0)],
    "tiny": [(1e-6, 1.0)],
    "huge": [(1e6, 1.0)],
    "far_levels": [(1e-6, 0.5), (1e6, 0.5)],
    "rare_levels": [(1e-6, 0.9), (1.0, 0.099), (1e6, 0.001)],
    "flat": [(0.0, 0.75), (4.0, 0.25)],
    "power_law_1": _power_law(1.0, 8),
    "power_law_3": _power_law(3.0, 8),
}


class Point(NamedTuple):
    """One problem; m may be infinite, `spectrum` is a name of `SPECTRA`."""

    psi_n: float
    psi_p: float
    m: float
    t: float
    ridge: float
    activation: str
    spectrum: str


class _Groups(NamedTuple):
    S: tuple[list[Any], list[Any], list[Any]]
    b: tuple[Any, Any, Any]
    i: Any
    noise: Any
    signal: list[Any]
    v2: Any
    weights: list[Any]


def slow_curves(point: Point) -> dict[str, Any]:
    """test, train, memorization, objective, score and floor, as mpf."""
    with mpmath.workdps(DIGITS):
        return _curves(point, SPECTRA[point.spectrum])


def _curves(point: Point, spectrum: Sequence[tuple[float, float]]) -> dict[str, Any]:
    a2 = mpmath.exp(-2 * mpf(point.t))
    h = -mpmath.expm1(-2 * mpf(point.t))
    weights = [mpf(w) for _, w in spectrum]
    weights = [w / sum(weights) for w in weights]
    s = [mpf(value) for value, _ in spectrum]
    c = a2 * mpmath.fdot(weights, s)
    mu1, v2, s2 = slow_constants(point.activation, c, h)
    i = mpf(0) if mpmath.isinf(point.m) else 1 / mpf(point.m)
    signal, noise = [mu1**2 * a2 * v for v in s], mu1**2 * h
    groups = _Groups(
        S=([v + i * noise for v in signal], [noise] * len(s), [v + noise for v in signal]),
        b=(v2 + i * s2, s2, v2 + s2),
        i=i,
        noise=noise,
        signal=signal,
        v2=v2,
        weights=weights,
    )
    psi_n, psi_p, ridge = (mpf(v) for v in (point.psi_n, point.psi_p, point.ridge))
    solution = _follow(groups, psi_n, psi_p, ridge)
    found = _errors(groups, psi_n, psi_p, ridge, solution)
    floor = mpmath.fdot(weights, [a2 * v / (a2 * v + h) for v in s])
    return found | {"floor": floor, "score": (found["test"] - floor) / h}


def _mean(groups: _Groups, values: Sequence[Any]) -> Any:
    return mpmath.fdot(groups.weights, values)


def _equations(groups: _Groups, psi_n: Any, psi_p: Any, ridge: Any, x: Sequence[Any]) -> list[Any]:
    """Logs of the sides of the three equations, subtracted; x = logs of (k1, gamma, k2), no k2 at m = 1."""
    k1, gamma = mpmath.exp(x[0]), mpmath.exp(x[1])
    k2 = mpmath.exp(x[2]) if len(x) > 2 else mpf(0)
    S1, S2, _ = groups.S
    tau = [k1 * p + k2 * q for p, q in zip(S1, S2, strict=True)]
    D = [1 + v * gamma for v in tau]
    beta = k1 * groups.b[0] + k2 * groups.b[1] + ridge
    X1 = gamma * (_mean(groups, [p / d for p, d in zip(S1, D, strict=True)]) + groups.b[0]) / psi_n
    X2 = groups.i * gamma * (_mean(groups, [q / d for q, d in zip(S2, D, strict=True)]) + groups.b[1]) / psi_n
    third = gamma * (beta + _mean(groups, [v / d for v, d in zip(tau, D, strict=True)])) / psi_p
    residuals = [x[0] + mpmath.log(1 + X1), mpmath.log(third)]
    return residuals + ([x[2] + mpmath.log((1 + X2) / (1 - groups.i))] if len(x) > 2 else [])


def _follow(groups: _Groups, psi_n: Any, psi_p: Any, ridge: Any) -> tuple[Any, Any, Any]:
    """(k1, k2, gamma) from where they are known, at a large ridge, down to this one."""
    size = sum(groups.b[:2]) + _mean(groups, groups.S[0]) + _mean(groups, groups.S[1])
    far = max(ridge, 100 * size * (1 + psi_p / psi_n + psi_p))
    x = [mpf(0), mpmath.log(psi_p / far)] + ([mpmath.log(1 - groups.i)] if groups.i < 1 else [])
    stages = int(mpmath.ceil(mpmath.log(far / ridge) / STRIDE)) + 1
    for stage in range(stages + 1):
        here = far * (ridge / far) ** (mpf(stage) / stages)
        x = _newton(lambda y, here=here: _equations(groups, psi_n, psi_p, here, y), x)
    k1, gamma = mpmath.exp(x[0]), mpmath.exp(x[1])
    return k1, mpmath.exp(x[2]) if len(x) > 2 else mpf(0), gamma


def _newton(function: Any, x: list[Any]) -> list[Any]:
    n = len(x)
    for _ in range(200):
        here = function(x)
        jacobian = mpmath.matrix(n, n)
        for k in range(n):
            moved = function([v + SMALL * (j == k) for j, v in enumerate(x)])
            for j in range(n):
                jacobian[j, k] = (moved[j] - here[j]) / SMALL
        step = mpmath.lu_solve(jacobian, -mpmath.matrix(here))
        longest = max(abs(v) for v in step)
        x = [v + w * min(1, 1 / longest) for v, w in zip(x, step, strict=True)] if longest else x
        if longest < mpf(10) ** -45:
            return x
    raise ArithmeticError("no fixed point")


def _errors(
    groups: _Groups, psi_n: Any, psi_p: Any, ridge: Any, solution: tuple[Any, Any, Any]
) -> dict[str, Any]:
    k1, k2, gamma = solution
    i, K = groups.i, groups.noise
    shares, ones = (*groups.S, groups.signal), (i, mpf(1), mpf(1), mpf(0))
    excess = (*groups.b, groups.v2)
    tau = [k1 * p + k2 * q for p, q in zip(groups.S[0], groups.S[1], strict=True)]
    D = [1 + v * gamma for v in tau]

    def over(values: Sequence[Any], power: int) -> Any:
        return _mean(groups, [v / d**power for v, d in zip(values, D, strict=True)])

    F = psi_p / gamma
    r = psi_p / F**2
    g12 = r / (1 - r * over([v**2 for v in tau], 2))
    G = [g12 * (b + over(S, 2)) for S, b in zip(shares, excess, strict=True)]
    c1, c2 = k1**2 / psi_n, (k2**2 * i / (psi_n * (1 - i)) if 0 < i < 1 else mpf(0))

    def T(g: int, other: int) -> Any:
        S = [p * (G[other] + gamma**2 * q) for p, q in zip(shares[g], shares[other], strict=True)]
        return over(S, 2) + excess[g] * G[other]

    k = k1 * i + k2

    def bar(g: int) -> list[Any]:
        return [
            k**2 * K * (G[g] + gamma**2 * S) / d**2 - 2 * ones[g] * K * k * gamma / d + ones[g]
            for S, d in zip(shares[g], D, strict=True)
        ]

    A = mpmath.matrix([[1 - c1 * T(0, 0), -c2 * T(0, 1)], [-c1 * T(1, 0), 1 - c2 * T(1, 1)]])
    inverse = A**-1
    first, second = bar(0), bar(1)
    R1 = [inverse[0, 0] * p + inverse[0, 1] * q for p, q in zip(first, second, strict=True)]
    R2 = [inverse[1, 0] * p + inverse[1, 1] * q for p, q in zip(first, second, strict=True)]

    def residual(g: int) -> list[Any]:
        left, right = c1 * T(g, 0), c2 * T(g, 1)
        return [v + left * p + right * q for v, p, q in zip(bar(g), R1, R2, strict=True)]

    X1 = gamma * (over(groups.S[0], 1) + groups.b[0]) / psi_n
    X2 = i * gamma * (over(groups.S[1], 1) + groups.b[1]) / psi_n
    train = _mean(groups, R1) / (1 + X1) ** 2 + (1 - i) * _mean(groups, R2) / (1 + X2) ** 2
    theta = gamma * (over(groups.signal, 1) + groups.v2) / (psi_n * (1 + X1))
    signal = residual(3)
    memorization = _mean(
        groups, [q + (1 - 2 * theta) * v + theta**2 * p for p, q, v in zip(R1, R2, signal, strict=True)]
    )
    shrunk = 1 - K * k * gamma * over([mpf(1)] * len(D), 1)  # 1 + l: what is left of the target on fresh data
    return {
        "test": _mean(groups, residual(2)),
        "train": train,
        "memorization": memorization,
        "objective": k * shrunk,
    }
