"""Errors of the minimiser on every class, from the response of the fixed point.

What the trained map leaves of a target z_s, along eigenvector s, has mean square R on the signal of class
c, on noise seen through features of class c, and on the training rows, which are signal + i noise (group 1)
and noise (group 2):

    Rbar_signal = h sigma (H zeta)_c^2 + h sum_q psi_q (F_q zeta)^2 (Delta^{-1} V_signal)_q
    Rbar_noise  = (1 - h (H zeta)_c)^2 + h sum_q psi_q (F_q zeta)^2 (Delta^{-1} V_noise)_q
    R_g         = Rbar_g + (1/psi_n) sum_h nu_h (w_h kappa_h)^2 T_gh R_h,   R_g averaged over s

with zeta_c = i k_1c + k_2c and F = phi^T J^T L (`forms`). The system for the training rows has the matrix
of the Newton step, so it is solved without a subtraction. Then, for class c,

    test         = R_signal + R_noise
    train        = kappa_1^2 (R_signal + i R_noise) + (1 - i) kappa_2^2 R_noise
    memorization = keep^2 R_signal + (1 + i (1 - keep)^2) R_noise,    keep = 1 - kappa_1 P_signal / psi_n
    score        = (test - floor) / h,     floor = <a^2 s_c / (a^2 s_c + h)>
    objective    = (i kappa_1 + (1 - i) kappa_2) (1 - h <(H zeta)_c>)

The floor is the one given the class. Which class x_t is of is at most log K nats of information, whatever
d, and by the relation of information to mean squared error that is nothing per dimension as d grows; a
radius with a density is known to log d / 2 nats, nothing either.

Source: the argument of George, Veiga, Macris, arXiv 2502.00336, on several classes of rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from simdiff.theory.mixed_gaussians.fixed_point import Groups, Solution, settle
from simdiff.theory.numerics.m_matrix import solve_m_matrix

PerClass = Float[np.ndarray, " K"]


@dataclasses.dataclass(frozen=True)
class ClassErrors:
    """Errors of every class, per dimension; totals are averages with the classes' probabilities."""

    test: PerClass
    train: PerClass
    score: PerClass
    memorization: PerClass
    objective: PerClass
    floor: PerClass


def class_errors(groups: Groups, solution: Solution) -> ClassErrors:
    """All errors at a solution."""
    i, h, kappa = groups.i, groups.h, solution.kappa
    net, shrink = _means(groups, solution)
    spread = _spread(groups, solution, net)
    signal, noise = net + spread
    signal_variance = groups.variances[0]
    best = h / (signal_variance + h)
    gap = (shrink - best) ** 2 * (signal_variance + h) / h @ groups.directions
    fluctuation = _network(groups, solution).sum(axis=0) + spread.sum(axis=0)
    keep = 1.0 - kappa[0] * _signal_load(groups, solution) / groups.psi_n
    return ClassErrors(
        test=signal + noise,
        train=kappa[0] ** 2 * (signal + i * noise) + (1.0 - i) * kappa[1] ** 2 * noise,
        score=(gap + fluctuation) / h,
        memorization=keep**2 * signal + (1.0 + i * (1.0 - keep) ** 2) * noise,
        objective=(i * kappa[0] + (1.0 - i) * kappa[1]) * ((1.0 - shrink) @ groups.directions),
        floor=1.0 - best @ groups.directions,
    )


def _zeta(groups: Groups, solution: Solution) -> PerClass:
    k = groups.rows * solution.kappa
    return groups.i * k[0] + k[1]


def _means(groups: Groups, solution: Solution) -> tuple[Float[np.ndarray, "2 K"], Float[np.ndarray, "K s"]]:
    """Rbar of signal and noise, averaged over s, and the shrinkage b = h (H zeta)_c that the mean map has."""
    h = groups.h
    shrink = h * np.einsum("scd,d->cs", solution.look.overlaps, _zeta(groups, solution))
    squares = np.stack([groups.variances[0] * shrink**2 / h, (1.0 - shrink) ** 2])
    return squares @ groups.directions + _network(groups, solution), shrink


def _network(groups: Groups, solution: Solution) -> Float[np.ndarray, "2 K"]:
    """The part of Rbar that random features add: h sum_q psi_q <(F_q zeta)^2> (Delta^{-1} V)_q."""
    found = solution.look
    pulled = (np.einsum("sqc,c->sq", found.forms, _zeta(groups, solution)) ** 2).T @ groups.directions
    v = found.signals.V
    settled = settle(groups, found, v.reshape(len(v), -1)).reshape(v.shape)
    return groups.h * np.einsum("q,qac->ac", found.psi * pulled, settled)


def _spread(groups: Groups, solution: Solution, net: Float[np.ndarray, "2 K"]) -> Float[np.ndarray, "2 K"]:
    """R - Rbar of signal and noise: what fluctuations of U add."""
    found, answer = solution.look, solution.response
    pull, k = (groups.weights * solution.kappa).ravel(), (groups.rows * solution.kappa).ravel()
    right = groups.psi_n * pull * (groups.combined @ net).ravel()
    pulled = solve_m_matrix(answer.sums, answer.entries, right[:, None])[:, 0]  # w kappa R of every group
    v = found.signals.V
    flat = v.reshape(len(v), -1)
    strength = found.psi[:, None] * flat
    apart = found.signals.cross.reshape(flat.shape[1], -1) + strength.T @ settle(groups, found, flat)
    mixed = np.einsum("xjc,ij->xic", apart.reshape(-1, *net.shape), groups.combined).reshape(k.size, -1)
    return (mixed @ (k * pulled) / groups.psi_n).reshape(net.shape)


def _signal_load(groups: Groups, solution: Solution) -> PerClass:
    """P of the signal of every class."""
    found = solution.look
    own = np.einsum("s,cs,scc->c", groups.directions, groups.variances[0], found.overlaps)
    return own + found.psi @ groups.excess[:, 0]
