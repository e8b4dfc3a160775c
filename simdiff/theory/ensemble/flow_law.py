"""The law of weights W trained for a time, over training sets of P draws, to first order in 1/P.

Gradient flow or plain descent from 0 end at W = A q(S), with S and A averages over the draws; both deviate
from their means by the order of P^-1/2, and W is expanded in these deviations to second order.

notation:
    S = E l phi phi^T = diag(s),  A = E l y phi^T                   in the eigenbasis of S
    W_tau = A q(S),  q(s) = (1 - exp(-tau (s + ridge))) / (s + ridge), or its version for steps
    h_aj = l phi_j (y_a q(s_j) + sum_i A_ai q[s_i, s_j] phi_i)      one draw's pull on W_aj
    P Cov(W) = E h h^T - E h E h^T
    P (E W - W_tau)_aj = sum_i q[s_i, s_j] (E l^2 y_a phi_i^2 phi_j - A_ai S_ij)
                       + sum_ik A_ai q[s_i, s_k, s_j] (E l^2 phi_i phi_k^2 phi_j - S_ik S_kj)

q[., .] are divided differences: a change of S does not commute with S. For q = 1 / (s + ridge) the pull is
that of the sandwich formula. The mean training loss is c - A p(S) A^T with p = 2 q - s q^2, expanded
likewise.

Source of the kernel: arXiv 2504.12532, section 5, at the end of training; the dependence on training time
and the shift of the mean are derived here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.sampling.training_targets import Pairs
from simdiff.theory.ensemble.training_law import TrainingLaw
from simdiff.theory.ensemble.weight_law import WeightLaw
from simdiff.theory.numerics.divided_differences import (
    Function,
    first_differences,
    second_differences,
    values,
)
from simdiff.theory.numerics.filters import training_filter
from simdiff.theory.protocols import Ensemble

PIECE = 512
"""Nodes whose products of four features are held at once."""


class Moments(NamedTuple):
    """Averages in the eigenbasis of S: powers of l times the letters that follow."""

    square: float
    A: Float[np.ndarray, "O F"]
    yy: Float[np.ndarray, "O F"]
    y_three: Float[np.ndarray, "O F F"]
    four: Float[np.ndarray, "F F F"]


def limit(problem: Ensemble, nodes: TrainingLaw) -> WeightLaw:
    """Infinitely many draws: W_tau without spread."""
    s, turn, A, square = _eigenbasis(problem, nodes)
    q = values(filter_of(problem.trainer), s, _softness(problem.trainer))
    loss = square - np.sum(A**2 * (2.0 * q - s * q**2))
    W = (A * q) @ turn.T
    return WeightLaw(W, np.zeros((W.size, W.size)), float(loss), float(loss))


def first_order(problem: Ensemble, nodes: TrainingLaw, size: int) -> WeightLaw:
    """Mean, covariance and losses at P = `size`, each with its term of the order of 1/P."""
    s, turn, A, square = _eigenbasis(problem, nodes)
    q, soft = filter_of(problem.trainer), _softness(problem.trainer)
    kept, pairs = values(q, s, soft), first_differences(q, s, soft)
    covariance = _covariance(problem, nodes, turn, A, kept, pairs) / size
    moments = _moments(problem, nodes, turn, A, square)
    mean, shift = A * kept, _shift(moments, s, q, soft, pairs) / size
    spread = np.einsum("aiai->i", covariance.reshape(*A.shape, *A.shape))
    test = square + np.sum(mean * (mean * s - 2.0 * A)) + s @ spread + 2.0 * np.sum((mean * s - A) * shift)
    train = square - _kept(moments, s, lambda z: (2.0 - z * q(z)) * q(z), soft, size)
    F = A.shape[1]
    blocks = turn @ covariance.reshape(len(A), F, len(A), F).transpose(0, 2, 1, 3) @ turn.T
    turned = blocks.transpose(0, 2, 1, 3).reshape(covariance.shape)
    return WeightLaw((mean + shift) @ turn.T, turned, float(train), float(test))


def filter_of(trainer: Any) -> Function:
    """q of complex arrays, for a flow or plain descent."""
    time, step = np.array([trainer.training_times[-1]]), trainer.step
    return lambda z: training_filter(z, time, trainer.ridge, step).solution[0]


def _softness(trainer: Any) -> float:
    """The length over which q is smooth at s = 0."""
    return 1.0 / trainer.training_times[-1] + trainer.ridge


def _shift(m: Moments, s: np.ndarray, q: Function, soft: float, pairs: np.ndarray) -> np.ndarray:
    """P (E W - W_tau)."""
    found = np.einsum("ij,aij->aj", pairs, m.y_three) - m.A * s * np.diag(pairs)
    for j in range(len(s)):
        triples = second_differences(q, s, soft, pairs, j)
        found[:, j] += m.A @ np.sum(triples * m.four[:, j, :], axis=1) - m.A[:, j] * s[j] ** 2 * triples[j, j]
    return found


def _kept(m: Moments, s: np.ndarray, p: Function, soft: float, size: int) -> float:
    """The mean over training sets of A p(S) A^T."""
    pairs = first_differences(p, s, soft)
    twice = np.einsum("aij,ij,aj->", m.y_three, pairs, m.A) - np.sum(m.A**2 * s * np.diag(pairs))
    once = np.sum(values(p, s, soft) * (m.yy - m.A**2))
    rest = 0.0
    for j in range(len(s)):
        triples = second_differences(p, s, soft, pairs, j)
        inner = m.A @ np.sum(triples * m.four[:, j, :], axis=1) - m.A[:, j] * s[j] ** 2 * triples[j, j]
        rest += float(m.A[:, j] @ inner)
    return float(np.sum(m.A**2 * values(p, s, soft)) + (once + 2.0 * twice + rest) / size)


def _eigenbasis(problem: Ensemble, nodes: TrainingLaw) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(s, eigenvectors of S, A in their basis, E l |y|^2)."""
    parts = (_normal_chunk(problem.model, pairs, mass, _span(problem)) for pairs, mass in nodes.chunks())
    S, A, square = _summed(parts)
    s, turn = np.linalg.eigh(S)
    return np.maximum(s, 0.0), turn, A @ turn, float(square)


def _covariance(
    problem: Ensemble, nodes: TrainingLaw, turn: np.ndarray, A: np.ndarray, q: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """P Cov(W), (O F, O F)."""
    inner = A[:, :, None] * pairs
    parts = (
        _pull_chunk(problem.model, chunk, mass, _span(problem), turn, q, inner)
        for chunk, mass in nodes.chunks()
    )
    square, mean = _summed(parts)
    return square - np.outer(mean, mean)


def _moments(
    problem: Ensemble, nodes: TrainingLaw, turn: np.ndarray, A: np.ndarray, square: float
) -> Moments:
    parts = (
        _moment_chunk(problem.model, chunk, mass, _span(problem), turn) for chunk, mass in nodes.chunks()
    )
    return Moments(square, A, *_summed(parts))


def _summed(parts: Any) -> tuple[np.ndarray, ...]:
    add: Callable = lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))  # noqa: E731
    return tuple(np.asarray(part) for part in functools.reduce(add, parts))


def _span(problem: Ensemble) -> np.ndarray:
    return np.array([problem.schedule.t_min, problem.schedule.t_max])


def _features(library: Any, pairs: Pairs, span: Array) -> Array:
    return library.features(jnp.asarray(pairs.x), jnp.asarray(pairs.t), span)


@functools.partial(jax.jit, static_argnums=0)
def _normal_chunk(library: Any, pairs: Pairs, mass: Array, span: Array) -> tuple[Array, Array, Array]:
    phi = _features(library, pairs, span)
    weighted = (mass * pairs.weights)[:, None] * phi
    square = jnp.sum((mass * pairs.weights)[:, None] * pairs.y**2)
    return phi.T @ weighted, pairs.y.T @ weighted, square


@functools.partial(jax.jit, static_argnums=0)
def _pull_chunk(
    library: Any, pairs: Pairs, mass: Array, span: Array, turn: Array, q: Array, inner: Array
) -> tuple[Array, Array]:
    """(E h h^T, E h)."""
    phi = _features(library, pairs, span) @ turn
    h = pairs.y[:, :, None] * q + jnp.einsum("ni,aij->naj", phi, inner)
    h = (pairs.weights[:, None, None] * phi[:, None] * h).reshape(len(phi), -1)
    return h.T @ (mass[:, None] * h), mass @ h


@functools.partial(jax.jit, static_argnums=0)
def _moment_chunk(
    library: Any, pairs: Pairs, mass: Array, span: Array, turn: Array
) -> tuple[Array, Array, Array]:
    """E of l^2 y_a^2 phi_i^2, of l^2 y_a phi_i^2 phi_j, and, in float32, of l^2 phi_i phi_j phi_k^2."""
    phi = _features(library, pairs, span) @ turn
    F = phi.shape[1]
    both = mass * pairs.weights**2
    yy = (both[:, None] * pairs.y**2).T @ phi**2
    y_three = jnp.einsum("na,ni,nj->aij", both[:, None] * pairs.y, phi**2, phi)

    def add(total: Array, piece: tuple[Array, Array]) -> tuple[Array, None]:
        f, weight = piece
        products = (f[:, :, None] * f[:, None, :]).reshape(len(f), -1)
        return total + products.T @ (weight[:, None] * f**2), None

    scale = jnp.max(jnp.abs(phi), axis=0)
    scale = jnp.where(scale > 0, scale, 1.0)
    rows, weight = (phi / scale).astype(jnp.float32), both.astype(jnp.float32)
    pieces = rows.reshape(-1, PIECE, F), weight.reshape(-1, PIECE)
    four = jax.lax.scan(add, jnp.zeros((F * F, F), jnp.float32), pieces)[0].reshape(F, F, F)
    return yy, y_three, four * scale[:, None, None] * scale[:, None] * scale**2
