"""Random features at given weights, trained by ridge on points of any law: samples left out with all rows.

A sample is a block: features F (m x p) of a point with m noise draws, and the noise Z (m x d). For the
minimiser B (p x d) of (1/(n m)) sum |Z + F B|^2 + ridge |B|^2, to leading order in 1/n,

    K = (1 + F G F^T / (n m))^{-1},       M = E [F^T K F] / m,       G = (M + ridge)^{-1}
    E B = -G E [F^T K Z] / m
    C = Cov B = (1/n) G E [F^T K S K F] G / m^2,     S = (Z + F E B)(Z + F E B)^T + F C F^T

C summed over the d columns of B; S is the mean of r r^T of a sample's residuals r before it is trained on,
and K r are those after. So

    test = E tr S / (m d),   train = E tr K S K / (m d),   objective = train + ridge tr (E B E B^T + C) / d

and a fresh draw f' of a training point, one row more of its block, has residual r' - f' G F^T K r / (n m).
E averages over all points and over noise: features are taken at the given W, and no law is assumed of them.

The average over noise is one over finitely many blocks, which overfits: errors come out too small by a
fraction of order p / blocks. The two halves of the blocks, alone, have twice that error and together the same
noise as all: twice the result of all less the mean of theirs is free of it.

Sources: the linear case is `noise_draws`; for features of real data, Louart, Liao, Couillet, Annals of
Applied Probability 28, 1190 (2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.leave_one_out.noise_draws import Setting
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.numerics.anderson import accelerated

ROWS, BLOCKS = 40000, 8000
"""Trained rows in all blocks, at most, and blocks, at least."""

TOLERANCE, ROUNDS = 1e-9, 400

Features = Callable[[Float[np.ndarray, "r p"]], Float[np.ndarray, "r p"]]
Square = Float[np.ndarray, "p p"]


class Blocks(NamedTuple):
    """Samples with m trained rows: `features` and `noise` have one fresh row more, the last."""

    features: Float[np.ndarray, "b m+1 p"]
    noise: Float[np.ndarray, "b m+1 d"]

    def some(self, part: slice) -> Blocks:
        """A part of them."""
        return Blocks(self.features[part], self.noise[part])


class Shrunk(NamedTuple):
    """G, and K of every block."""

    resolvent: Square
    factors: Float[np.ndarray, "b m m"]


def feature_errors(
    points: Population, at: Setting, weights: Float[np.ndarray, "p d"], function: Features, seed: int = 0
) -> dict[str, float] | None:
    """test, train, memorization and objective at these weights; None where no fixed point is found.

    `function` is the activation, row by row; a feature is function(W x_t / sqrt(d)).
    """
    blocks = draw_blocks(points, at, weights, function, np.random.default_rng(seed))
    middle = len(blocks.noise) // 2
    found: list[dict[str, float]] = []
    for part in (slice(None), slice(middle), slice(middle, None)):
        errors = _errors(blocks.some(part), at)
        if errors is None:
            return None
        found.append(errors)
    whole, *halves = found
    return {name: 2.0 * whole[name] - 0.5 * sum(half[name] for half in halves) for name in whole}


def draw_blocks(
    points: Population,
    at: Setting,
    weights: Float[np.ndarray, "p d"],
    function: Features,
    rng: np.random.Generator,
) -> Blocks:
    """Every point equally often, but for the last round; one noise draw per row."""
    m, (total, d) = round(1.0 / at.i), points.points.shape
    count = max(BLOCKS, ROWS // m)
    rounds = [rng.permutation(total) for _ in range(-(-count // total))]
    x = points.points[np.concatenate(rounds)[:count]]
    noise = rng.standard_normal((count, m + 1, d))
    noisy = math.sqrt(at.a2) * x[:, None] + math.sqrt(at.h) * noise
    rows = function(noisy.reshape(-1, d) @ weights.T / math.sqrt(d))
    return Blocks(rows.reshape(count, m + 1, -1), noise)


def _errors(blocks: Blocks, at: Setting) -> dict[str, float] | None:
    shrunk = _shrinkage(blocks.features[:, :-1], at)
    if shrunk is None:
        return None
    mean = _mean(blocks, shrunk)
    spread = _spread(blocks, at, shrunk, mean)
    if spread is None:
        return None
    d, own = mean.shape[1], _moments(blocks, mean, spread)
    trained, fresh, across = own[:, :-1, :-1], own[:, -1, -1], own[:, :-1, -1]
    pull = _pull(blocks, at, shrunk)
    again = fresh - 2.0 * np.einsum("bi,bi->b", pull, across) + np.einsum("bi,bij,bj->b", pull, trained, pull)
    after = np.einsum("bij,bjk,bki->b", shrunk.factors, trained, shrunk.factors).mean() * at.i / d
    norm = (float(np.sum(mean**2)) + float(np.trace(spread))) / d
    return {
        "test": float(fresh.mean()) / d,
        "train": float(after),
        "memorization": float(again.mean()) / d,
        "objective": float(after) + at.ridge * norm,
    }


def _shrinkage(rows: Float[np.ndarray, "b m p"], at: Setting) -> Shrunk | None:
    """The fixed point of M."""
    p, flat, share = rows.shape[2], rows.reshape(-1, rows.shape[2]), at.i / at.samples

    def resolvent(matrix: np.ndarray) -> Square:
        return np.linalg.inv(matrix.reshape(p, p) + at.ridge * np.eye(p))

    def factors(inverse: Square) -> Float[np.ndarray, "b m m"]:
        forms = (flat @ inverse).reshape(rows.shape) @ rows.transpose(0, 2, 1)
        return np.linalg.inv(np.eye(rows.shape[1]) + share * forms)

    def step(matrix: np.ndarray) -> np.ndarray:
        shrunk = factors(resolvent(matrix)) @ rows
        return (shrunk.reshape(flat.shape).T @ flat / len(flat)).ravel()

    matrix, found = accelerated(step, (flat.T @ flat / len(flat)).ravel(), TOLERANCE, ROUNDS)
    inverse = resolvent(matrix)
    return Shrunk(inverse, factors(inverse)) if found else None


def _mean(blocks: Blocks, shrunk: Shrunk) -> Float[np.ndarray, "p d"]:
    rows, noise = blocks.features[:, :-1], blocks.noise[:, :-1]
    flat, pulled = rows.reshape(-1, rows.shape[2]), (shrunk.factors @ noise).reshape(-1, noise.shape[2])
    return -shrunk.resolvent @ (flat.T @ pulled) / len(flat)


def _moments(blocks: Blocks, mean: Float[np.ndarray, "p d"], spread: Square) -> Float[np.ndarray, "b k k"]:
    """S of all rows, the fresh one among them."""
    rows = blocks.features
    residual = blocks.noise + rows @ mean
    return residual @ residual.transpose(0, 2, 1) + (rows @ spread) @ rows.transpose(0, 2, 1)


def _spread(blocks: Blocks, at: Setting, shrunk: Shrunk, mean: Float[np.ndarray, "p d"]) -> Square | None:
    """C, from its linear equation."""
    trained = Blocks(blocks.features[:, :-1], blocks.noise[:, :-1])
    pulled = shrunk.factors @ trained.features
    flat = pulled.reshape(-1, pulled.shape[2])
    p, share = flat.shape[1], at.i / (at.samples * len(flat))

    def step(spread: np.ndarray) -> np.ndarray:
        inner = (_moments(trained, mean, spread.reshape(p, p)) @ pulled).reshape(flat.shape)
        return (share * shrunk.resolvent @ (flat.T @ inner) @ shrunk.resolvent).ravel()

    spread, found = accelerated(step, step(np.zeros(p * p)), TOLERANCE, ROUNDS)
    return spread.reshape(p, p) if found else None


def _pull(blocks: Blocks, at: Setting, shrunk: Shrunk) -> Float[np.ndarray, "b m"]:
    """f' G F^T K / (n m): how far training on a sample moves its fresh row, per residual."""
    reach = (blocks.features[:, -1] @ shrunk.resolvent)[:, None] @ blocks.features[:, :-1].transpose(0, 2, 1)
    return (reach @ shrunk.factors)[:, 0] * (at.i / at.samples)
