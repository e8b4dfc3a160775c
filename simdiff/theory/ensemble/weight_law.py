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

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.ensemble.moments import Moments, moments
from simdiff.theory.ensemble.training_law import TrainingLaw
from simdiff.theory.numerics.anderson import anderson
from simdiff.theory.protocols import Ensemble

TOLERANCE = 1e-5
"""Of log(1 + leverage), and relatively of the covariance: far below what the approximation leaves out."""
ROUNDS = 100


class WeightLaw(NamedTuple):
    """W ~ N(mean, covariance); `covariance` is (O F, O F), outputs running slowest. Losses are per draw.

    `train` is the mean weighted loss on the training draws, `test` that on fresh ones.
    """

    mean: Float[np.ndarray, "O F"]
    covariance: Float[np.ndarray, "OF OF"]
    train: float
    test: float

    def root(self) -> Float[np.ndarray, "OF OF"]:
        """L with L^T L the covariance; negative eigenvalues, from rounding or approximation, count as 0."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T

    def draws(
        self, count: int, rng: np.random.Generator, root: Float[np.ndarray, "OF OF"]
    ) -> Float[np.ndarray, "count O F"]:
        """Independent W, float64; `root` as returned by `root()`."""
        moved = rng.standard_normal((count, len(root))) @ root
        return self.mean + moved.reshape(count, *self.mean.shape)


def limit(problem: Ensemble, nodes: TrainingLaw) -> WeightLaw:
    """Infinitely many draws: W_inf without spread."""
    at = _nodes(problem, nodes)
    S, A = at.normal(at.ones)
    mean = np.linalg.solve(S + at.ridge * np.eye(len(S)), A.T).T
    train, test = at.losses(at.ones, mean, None)
    return WeightLaw(mean, np.zeros((mean.size, mean.size)), train, test)


def first_order(problem: Ensemble, nodes: TrainingLaw, size: int) -> WeightLaw:
    """Mean W_inf and the sandwich covariance at P = `size`.

    The losses differ from that of W_inf by what the covariance and a draw's own pull do. Left out, as in the
    source, is that with a ridge the mean of W moves by a term of the order of 1/P, too: it changes P (test -
    limit) from 2.3 to 2.5 for 20 features at ridge 0.1 (`flow_law.first_order` and `corrected` have it).
    """
    at = _nodes(problem, nodes)
    R, A = at.resolvent(at.ones)
    mean = A @ R
    covariance = at.sandwich(at.ones, mean, None, R, size)
    _, test = at.losses(at.ones, mean, covariance)
    train, _ = at.losses(at.ones, mean, None)
    twice = 2.0 * at.overfit(mean, R, size)
    return WeightLaw(mean, covariance, train + (test - train) - twice, test)


def corrected(problem: Ensemble, nodes: TrainingLaw, size: int) -> WeightLaw:
    """Mean and covariance that hold for P of the order of F.

    Raises:
        RuntimeError: the self-consistent leverages or covariance did not converge.
    """
    at = _nodes(problem, nodes)
    left = _leverages(at, size)
    R, A = at.resolvent(left)
    mean = A @ R
    covariance = _covariance(at, left, mean, R, size)
    return WeightLaw(mean, covariance, *at.losses(left, mean, covariance))


def _leverages(at: _Nodes, size: int) -> np.ndarray:
    """w at every node; the unknown is log(1 + q) = -log w."""

    def after(u: np.ndarray) -> np.ndarray:
        R, _ = at.resolvent(np.exp(-u))
        return np.log1p(at.loss * at.sums.quadratic(R) / size)

    return np.exp(-anderson(after, np.zeros_like(at.mass), TOLERANCE, ROUNDS))


def _covariance(at: _Nodes, left: np.ndarray, mean: np.ndarray, R: np.ndarray, size: int) -> np.ndarray:
    """V of the corrected law: it stands on both sides of its equation, linearly."""
    from scipy.sparse.linalg import LinearOperator, gmres

    source = at.sandwich(left, mean, None, R, size)

    def remainder(V: np.ndarray) -> np.ndarray:
        V = V.reshape(source.shape)
        return np.array(V - at.sandwich(left, mean, V, R, size) + source).ravel()

    operator = LinearOperator((source.size, source.size), matvec=remainder, dtype=source.dtype)
    found, failed = gmres(operator, source.ravel(), rtol=TOLERANCE, maxiter=ROUNDS // 20, restart=20)
    if failed:
        raise RuntimeError(f"the covariance of the weights did not converge in {ROUNDS} rounds")
    return found.reshape(source.shape)


@dataclasses.dataclass(frozen=True)
class _Nodes:
    """Nodes as arrays: features' `sums`, probabilities, weights l, targets."""

    sums: Moments
    mass: np.ndarray
    loss: np.ndarray
    y: np.ndarray
    ridge: float

    @property
    def ones(self) -> np.ndarray:
        return np.ones_like(self.mass)

    def normal(self, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E[w l phi phi^T] and E[w l y phi^T]."""
        c = self.mass * self.loss * left
        return self.sums.gram(c), self.sums.cross(c, self.y)

    def resolvent(self, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R and E[w l y phi^T]."""
        S, A = self.normal(left)
        return np.linalg.inv(S + self.ridge * np.eye(len(S))), A

    def off(self, mean: np.ndarray) -> np.ndarray:
        """e = y - W phi."""
        return self.y - self.sums.outputs(mean)

    def sandwich(
        self, left: np.ndarray, mean: np.ndarray, covariance: np.ndarray | None, R: np.ndarray, size: int
    ) -> np.ndarray:
        """(1/P) (R E[w^2 l^2 (e_a e_b + phi^T V_ab phi) phi phi^T] R - ridge^2 R W_a W_b^T R), all blocks."""
        outputs, F = mean.shape
        e, c = self.off(mean), self.mass * (left * self.loss) ** 2
        moved = self.ridge * mean @ R
        blocks = np.empty((outputs, F, outputs, F))
        for a, b in itertools.combinations_with_replacement(range(outputs), 2):
            square = e[:, a] * e[:, b]
            if covariance is not None:
                square = square + self.sums.quadratic(covariance.reshape(blocks.shape)[a, :, b])
            block = (R @ self.sums.gram(c * square) @ R - np.outer(moved[a], moved[b])) / size
            blocks[a, :, b], blocks[b, :, a] = block, block.T
        return blocks.reshape(outputs * F, outputs * F)

    def losses(
        self, left: np.ndarray, mean: np.ndarray, covariance: np.ndarray | None
    ) -> tuple[float, float]:
        """(E[w^2 l (|e|^2 + phi^T tr V phi)], the same without w^2)."""
        square = np.sum(self.off(mean) ** 2, axis=1)
        if covariance is not None:
            outputs, F = mean.shape
            square = square + self.sums.quadratic(
                np.einsum("aiaj->ij", covariance.reshape(outputs, F, outputs, F))
            )
        fresh = self.mass * self.loss * square
        return float(left**2 @ fresh), float(np.sum(fresh))

    def overfit(self, mean: np.ndarray, R: np.ndarray, size: int) -> float:
        """E[l^2 |e|^2 phi^T R phi] / P: half of what a draw's own pull takes off the training loss."""
        square = np.sum(self.off(mean) ** 2, axis=1)
        return float(np.sum(self.mass * self.loss**2 * square * self.sums.quadratic(R))) / size


def _nodes(problem: Ensemble, nodes: TrainingLaw) -> _Nodes:
    loss, y = np.asarray(nodes.pairs.weights), np.asarray(nodes.pairs.y)
    return _Nodes(moments(problem, nodes), nodes.mass, loss, y, problem.trainer.ridge)
