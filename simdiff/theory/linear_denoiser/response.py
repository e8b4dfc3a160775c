"""Second-order response of linear denoisers at two ridges, which may be complex and may be equal.

At ridge lambda the trained map is B = -V^T (U + lambda)^{-1}. What it makes of a row y of a group g, or of
fresh data, leaves a residual; mean products of two such residuals, at ridges lambda and lambda', are the
errors. Along an eigenvector of eigenvalue s the mean of B x_t is -b z on fresh noise and -b x_t / sqrt(h) in
all, b = h k / L. Beyond that mean the maps fluctuate with U, and products obey

    R_sh = h k k' P / (L L')                                 + (c_1 T_sh1 R_1 + c_2 T_sh2 R_2)
    R_2  = (lambda + k_1 P)(lambda' + k_1' P) / (L L')       + (c_1 T_12 R_1 + c_2 T_22 R_2)
    R_1  = R_sh + i R_2

R_sh: on the signal part a x of a row, R_2: on noise. Every R_g is a function of s of the form (c_0 + c_1 P +
c_2 P^2) / (L L'); those three numbers are what is computed. The fixed point is used to write the determinant
of the system for R_1 and R_2 as a sum: nothing is lost where a ridge is small.

notation, beyond that of `linear_denoiser_fixed_point`:
    P(s) = a^2 s                        signal
    k = i k_1 + (1 - i) k_2,  1 - b = (lambda + k_1 P) / L
    T_gh = <C_g C_h / (L L')>, C_sh = P;  c_1 = k_1 k_1' / psi_n,  c_2 = i (1 - i) k_2 k_2' / psi_n
    keep = k_1 + i k_1 <C_2 / L> / psi_n     by which training shrinks a sample's mean residual on a x
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Inexact

from simdiff.theory.linear_denoiser.fixed_point import Rows, Solution

Pairs = Inexact[np.ndarray, "*pairs"]
Form = Inexact[np.ndarray, "3 *pairs"]


class Side(NamedTuple):
    """One of two solutions: the scalars of `Solution`, shaped to broadcast against the other side's."""

    ridge: Pairs
    k1: Pairs
    k2: Pairs
    shrink: Pairs
    keep: Pairs


class Response(NamedTuple):
    """Forms in two ridges; `mean_` parts are products of means, `spread_` parts what fluctuations add.

    R_sh = mean_signal + spread_signal, R_2 = mean_noise + spread_noise, R_1 = first.
    """

    mean_signal: Form
    mean_noise: Form
    spread_signal: Form
    spread_noise: Form
    first: Form


def side(rows: Rows, solution: Solution) -> Side:
    """The scalars of every solution."""
    i, (ridge, k1, k2, inverse, _) = rows.i, solution
    noise = (rows.weights * rows.c2 * inverse).sum(axis=1)
    return Side(ridge, k1, k2, i * k1 + (1.0 - i) * k2, k1 + i * k1 * noise / rows.psi_n)


def response(rows: Rows, left: Side, right: Side, moments: Inexact[np.ndarray, "3 *pairs"]) -> Response:
    """The response of the pairs that `left` and `right` broadcast to.

    `moments` are <P^q / (L L')> for q = 0, 1, 2. `rows.psi_n`, `rows.i` and h must broadcast against the
    pairs, too.
    """
    psi_n, i, h = rows.psi_n, rows.i, rows.c2[:, 0]
    one, p, pp = moments
    zero = np.zeros_like(one)
    gain = h * (left.shrink * right.shrink)
    signal = np.stack([zero, gain, zero])
    noise = np.stack(
        np.broadcast_arrays(
            left.ridge * right.ridge, left.ridge * right.k1 + left.k1 * right.ridge, left.k1 * right.k1
        )
    )
    t_sh1, t_sh2, t_22 = pp + i * h * p, h * p, h**2 * one
    t_12 = t_sh2 + i * t_22
    r1, r2 = _groups(rows, left, right, (one, p, t_12), signal + i * noise, noise)
    c1, c2 = left.k1 * right.k1 / psi_n, i * (1.0 - i) * (left.k2 * right.k2) / psi_n
    return Response(signal, noise, c1 * t_sh1 * r1 + c2 * t_sh2 * r2, c1 * t_12 * r1 + c2 * t_22 * r2, r1)


def _groups(
    rows: Rows, left: Side, right: Side, averages: tuple[Pairs, Pairs, Pairs], first: Form, second: Form
) -> tuple[Form, Form]:
    """R_1 and R_2 from the parts that are products of means."""
    psi_n, i, h = rows.psi_n, rows.i, rows.c2[:, 0]
    one, p, t_12 = averages
    e1 = psi_n * left.k1 + left.k1 * right.ridge * (p + i * h * one)
    e2 = psi_n * left.k2 + i * left.k2 * right.ridge * h * one
    w1 = (1.0 - i) * left.k1 * right.k2 * t_12
    w2 = i * left.k2 * right.k1 * t_12
    scale = psi_n / (e1 * e2 + e1 * w2 + e2 * w1)
    r1 = scale * ((e2 + w2) * first + i * (1.0 - i) * (left.k2 * right.k2) * t_12 * second)
    r2 = scale * (left.k1 * right.k1 * t_12 * first + (e1 + w1) * second)
    return r1, r2


def test_excess(found: Response) -> Form:
    """Test error beyond floor + (b - b*)(b' - b*) (a^2 s + h) / h, where b* = h / (a^2 s + h)."""
    return found.spread_signal + found.spread_noise


def memorization_excess(rows: Rows, found: Response, left: Side, right: Side) -> Form:
    """Memorization error beyond (1 - b)(1 - b')."""
    recalled = (left.keep * right.keep) * (found.mean_signal + found.spread_signal)
    echoed = rows.i * ((1.0 - left.keep) * (1.0 - right.keep)) * (found.mean_noise + found.spread_noise)
    return found.spread_noise + recalled + echoed


def train(rows: Rows, found: Response, point: Side) -> Form:
    """Train error at equal ridges."""
    second = found.mean_noise + found.spread_noise
    return point.k1**2 * found.first + (1.0 - rows.i) * point.k2**2 * second
