"""The law of weighted-ridge weights W over training sets of P draws: mean and covariance, for any P.

Two approximations, both Gaussian. The first order in 1/P is the sandwich formula of the source; the
corrected law keeps what one draw does to its own leverage, and holds for P of the order of F too.

notation:
    loss(W) = (1/P) sum_i l_i |W phi_i - y_i|^2 + ridge |W|^2
    first order:  H = (E[l phi phi^T] + ridge)^{-1},  W_inf = E[l y phi^T] H,  e = y - W_inf phi
                  P Cov(W_a, W_b) = H E[l^2 e_a e_b phi phi^T] H - ridge^2 (H W_a)(H W_b)^T
    corrected:    q = l phi^T R phi / P           leverage of a draw in the others' system
                  w = 1 / (1 + q)                 what is left of its weight once it is trained on
                  R = (E[w l phi phi^T] + ridge)^{-1},  W_bar = E[w l y phi^T] R,  e = y - W_bar phi
                  V_ab = Cov(W_a, W_b)
                  P V_ab = R E[w^2 l^2 (e_a e_b + phi^T V_ab phi) phi phi^T] R - ridge^2 (R W_a)(R W_b)^T

The corrected law comes from leaving one draw out: (S + ridge)^{-1} phi is w times what it would be without
that draw, the rest of the resolvent is replaced by its mean R, and the residual that a draw meets is that
of a model which has not seen it, hence the term with V. For features whose leverages do not differ it is the
usual deterministic equivalent, kappa = ridge / w. What it leaves out are fluctuations of a leverage.

Source of the first order: arXiv 2504.12532, section 5. The correction is this project's.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.sampling.training_targets import Pairs
from simdiff.theory.population import Population

TOLERANCE = 1e-6
"""Of leverages, and relatively of the covariance: far below what the approximation leaves out."""
ROUNDS = 200


class WeightLaw(NamedTuple):
    """W ~ N(mean, covariance); `covariance` is (O F, O F), outputs running slowest. Losses are per draw.

    `train` is the mean weighted loss on the training draws, `test` that on fresh ones.
    """

    mean: Float[np.ndarray, "O F"]
    covariance: Float[np.ndarray, "OF OF"]
    train: float
    test: float

    def draws(self, count: int, seed: int) -> Float[np.ndarray, "count O F"]:
        """Independent W, float64. Negative eigenvalues, rounding or the approximation's, count as 0."""
        values, vectors = np.linalg.eigh(self.covariance)
        z = np.random.default_rng(seed).standard_normal((count, values.size))
        moved = (z * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        return self.mean + moved.reshape(count, *self.mean.shape)


def limit(problem: Any, nodes: Population) -> WeightLaw:
    """Infinitely many draws: W_inf without spread."""
    ones = np.ones_like(nodes.mass)
    S, A = _normal(problem, nodes, ones)
    mean = _solve(S, problem.trainer.ridge, A.T).T
    loss = _losses(problem, nodes, ones, mean, None)
    return WeightLaw(mean, np.zeros((mean.size, mean.size)), float(loss[0]), float(loss[1]))


def first_order(problem: Any, nodes: Population, size: int) -> WeightLaw:
    """Mean W_inf and the sandwich covariance at P = `size`.

    The losses, too, to first order: both differ from that of W_inf.
    """
    ones = np.ones_like(nodes.mass)
    S, A = _normal(problem, nodes, ones)
    R = _inverse(S, problem.trainer.ridge)
    mean = A @ R
    covariance = _sandwich(problem, nodes, ones, mean, None, R, size)
    _, test = _losses(problem, nodes, ones, mean, covariance)
    train, _ = _losses(problem, nodes, ones, mean, None)
    twice = 2.0 * _overfit(problem, nodes, mean, R, size)
    return WeightLaw(mean, covariance, float(train + (test - train) - twice), float(test))


def corrected(problem: Any, nodes: Population, size: int) -> WeightLaw:
    """Mean and covariance that hold for P of the order of F.

    Raises:
        RuntimeError: the self-consistent leverages or covariance did not converge.
    """
    left, R, A = _leverages(problem, nodes, size)
    mean = A @ R
    covariance = _sandwich(problem, nodes, left, mean, None, R, size)
    for _ in range(ROUNDS):
        before = covariance
        covariance = _sandwich(problem, nodes, left, mean, before, R, size)
        if np.linalg.norm(covariance - before) < TOLERANCE * np.linalg.norm(covariance):
            break
    else:
        raise RuntimeError(f"the covariance of the weights did not converge in {ROUNDS} rounds")
    train, _ = _losses(problem, nodes, left, mean, covariance)
    _, test = _losses(problem, nodes, left, mean, covariance)
    return WeightLaw(mean, covariance, float(train), float(test))


def _leverages(problem: Any, nodes: Population, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(w at every node, R, E[w l y phi^T]), by iteration; it decreases w monotonically from 1."""
    left = np.ones_like(nodes.mass)
    for _ in range(ROUNDS):
        S, A = _normal(problem, nodes, left)
        R = _inverse(S, problem.trainer.ridge)
        after = 1.0 / (1.0 + _quadratic(problem, nodes, R) / size)
        change = np.max(np.abs(after - left))
        left = after
        if change < TOLERANCE:
            return left, R, A
    raise RuntimeError(f"the leverages did not converge in {ROUNDS} rounds")


def _inverse(S: np.ndarray, ridge: float) -> np.ndarray:
    return _solve(S, ridge, np.eye(len(S)))


def _solve(S: np.ndarray, ridge: float, right: np.ndarray) -> np.ndarray:
    return np.linalg.solve(S + ridge * np.eye(len(S)), right)


def _rows(nodes: Population, *more: np.ndarray) -> Any:
    """Chunks of (pairs, mass, the same nodes of every further array)."""
    place = 0
    for pairs, mass in nodes.chunks():
        index = np.minimum(np.arange(place, place + mass.size), nodes.mass.size - 1)
        place += mass.size
        yield pairs, mass, *(part[index] for part in more)


def _span(problem: Any) -> np.ndarray:
    return np.array([problem.schedule.t_min, problem.schedule.t_max])


def _normal(problem: Any, nodes: Population, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E[w l phi phi^T] and E[w l y phi^T]."""
    parts = (
        _normal_chunk(problem.model, pairs, mass * w, _span(problem)) for pairs, mass, w in _rows(nodes, left)
    )
    S, A = functools.reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)
    return np.asarray(S), np.asarray(A)


def _quadratic(problem: Any, nodes: Population, R: np.ndarray) -> np.ndarray:
    """l phi^T R phi at every node."""
    parts = [_quadratic_chunk(problem.model, pairs, R, _span(problem)) for pairs, _ in nodes.chunks()]
    return np.concatenate(parts)[: nodes.mass.size]


def _sandwich(
    problem: Any,
    nodes: Population,
    left: np.ndarray,
    mean: np.ndarray,
    covariance: np.ndarray | None,
    R: np.ndarray,
    size: int,
) -> np.ndarray:
    """(1/P) (R E[w^2 l^2 (e_a e_b + phi^T V_ab phi) phi phi^T] R - ridge^2 R W_a W_b^T R), all blocks."""
    outputs, F = mean.shape
    V = (
        np.zeros((outputs, F, outputs, F))
        if covariance is None
        else covariance.reshape(outputs, F, outputs, F)
    )
    V = V.transpose(0, 2, 1, 3)
    middle = np.zeros((outputs, outputs, F, F))
    for pairs, mass, w in _rows(nodes, left):
        middle += _square_chunk(problem.model, pairs, mass * w**2, mean, V, _span(problem))
    middle += np.triu(np.ones((outputs, outputs)), 1).T[:, :, None, None] * middle.transpose(1, 0, 3, 2)
    moved = problem.trainer.ridge * mean @ R
    blocks = (R @ middle @ R - np.einsum("ai,bj->abij", moved, moved)) / size
    return blocks.transpose(0, 2, 1, 3).reshape(outputs * F, outputs * F)


def _losses(
    problem: Any, nodes: Population, left: np.ndarray, mean: np.ndarray, covariance: np.ndarray | None
) -> tuple[float, float]:
    """(E[w^2 l (|e|^2 + phi^T tr V phi)], the same without w^2)."""
    outputs, F = mean.shape
    V = np.zeros((F, F))
    if covariance is not None:
        V = np.einsum("aiaj->ij", covariance.reshape(outputs, F, outputs, F))
    train = test = 0.0
    for pairs, mass, w in _rows(nodes, left):
        loss = np.asarray(_loss_chunk(problem.model, pairs, mean, V, _span(problem)))
        train, test = train + float(mass * w**2 @ loss), test + float(mass @ loss)
    return train, test


def _overfit(problem: Any, nodes: Population, mean: np.ndarray, R: np.ndarray, size: int) -> float:
    """E[l^2 |e|^2 phi^T R phi] / P: half of what the first draw's own pull takes off the training loss."""
    return float(
        sum(
            mass @ np.asarray(_pull_chunk(problem.model, pairs, mean, R, _span(problem)))
            for pairs, mass in nodes.chunks()
        )
        / size
    )


def _features(library: Any, pairs: Pairs, span: Array) -> Array:
    return library.features(jnp.asarray(pairs.x), jnp.asarray(pairs.t), span)


@functools.partial(jax.jit, static_argnums=0)
def _normal_chunk(library: Any, pairs: Pairs, mass: Array, span: Array) -> tuple[Array, Array]:
    phi = _features(library, pairs, span)
    weighted = (mass * pairs.weights)[:, None] * phi
    return phi.T @ weighted, pairs.y.T @ weighted


@functools.partial(jax.jit, static_argnums=0)
def _quadratic_chunk(library: Any, pairs: Pairs, R: Array, span: Array) -> Array:
    phi = _features(library, pairs, span)
    return pairs.weights * jnp.sum((phi @ R) * phi, axis=1)


@functools.partial(jax.jit, static_argnums=0)
def _square_chunk(library: Any, pairs: Pairs, mass: Array, mean: Array, V: Array, span: Array) -> Array:
    """Blocks a <= b of E[l^2 (e_a e_b + phi^T V_ab phi) phi phi^T], zeros below them: (O, O, F, F)."""
    phi = _features(library, pairs, span)
    e = pairs.y - phi @ mean.T
    blocks = [[jnp.zeros(V.shape[2:])] * len(mean) for _ in mean]
    for a, b in itertools.combinations_with_replacement(range(len(mean)), 2):
        size = e[:, a] * e[:, b] + jnp.sum((phi @ V[a, b]) * phi, axis=1)
        blocks[a][b] = phi.T @ ((mass * pairs.weights**2 * size)[:, None] * phi)
    return jnp.stack([jnp.stack(row) for row in blocks])


@functools.partial(jax.jit, static_argnums=0)
def _loss_chunk(library: Any, pairs: Pairs, mean: Array, V: Array, span: Array) -> Array:
    phi = _features(library, pairs, span)
    off = jnp.sum((pairs.y - phi @ mean.T) ** 2, axis=1) + jnp.sum((phi @ V) * phi, axis=1)
    return pairs.weights * off


@functools.partial(jax.jit, static_argnums=0)
def _pull_chunk(library: Any, pairs: Pairs, mean: Array, R: Array, span: Array) -> Array:
    phi = _features(library, pairs, span)
    off = jnp.sum((pairs.y - phi @ mean.T) ** 2, axis=1)
    return pairs.weights**2 * off * jnp.sum((phi @ R) * phi, axis=1)
