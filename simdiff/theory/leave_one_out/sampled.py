"""Losses and divergences of linear sampling on points of any law: functionals of `linear_chain`."""

from __future__ import annotations

import numpy as np

from simdiff.errors import InputError
from simdiff.theory.leave_one_out.contour_rule import CLOSE, COUNTS, Functionals
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.linear_chain.learned_mean import Training
from simdiff.theory.linear_chain.linear_sampling import (
    Around,
    PerTime,
    Rules,
    Table,
    maps_exactly,
    observables,
    searched,
)
from simdiff.theory.linear_chain.mode_spread import Modes
from simdiff.theory.linear_chain.one_point import Rule, SpectralLaw
from simdiff.theory.protocols import Chain


def sampled_metrics(problem: Chain, points: Population, count: int) -> dict[str, np.ndarray] | None:
    """All metrics of a `LinearSampling`, arrays over times; None where they are not known.

    Divergences without ridge or early stopping have infinite means: training sets drawn with replacement
    are degenerate with a small probability. The overlap of two models is known there where F(x) = x.

    Raises:
        InputError: a bias.
    """
    if problem.bias:
        hint = "a bias is a term of order 1/N, which this theory has without it only"
        raise InputError("bias", True, "false for theory=leave_one_out", hint)
    if problem.singular and (problem.kl or (problem.splits == 2 and not maps_exactly(problem))):
        return None
    s, functionals = points.eigenvalues, Functionals(points, count)
    training = Training(SpectralLaw(s, np.full(s.size, 1.0 / s.size), float(problem.psi_n)), s)

    def rule(training: Training, around: Around, nodes: int) -> Rule:
        return functionals.rule(observables(training.eigenvalues), *around, nodes)

    def square(training: Training, around: Around, nodes: int, root: Table) -> PerTime:
        return functionals.mean_square(*around, nodes, root)

    def exact(_: Training) -> PerTime:
        return np.atleast_1d(np.sum(functionals.mean_root() ** 2) / s.size)

    return searched(problem, training, Rules(rule, square, exact, COUNTS, CLOSE))


def point_modes(points: Population, count: int) -> Modes:
    """What the spread along every eigenvector of Sigma takes, see `linear_chain.mode_spread`."""
    functionals, d = Functionals(points, count), points.eigenvalues.size

    def rule(around: Around, nodes: int) -> Rule:
        return functionals.rule(d * np.eye(d), *around, nodes)

    def square(_: Rule, around: Around, nodes: int, root: Table) -> np.ndarray:
        return np.sum(functionals.mean_map(*around, nodes, root) ** 2, axis=2)

    def exact() -> np.ndarray:
        return np.sum(functionals.mean_root() ** 2, axis=1)[None]

    return Modes(points.eigenvalues, rule, square, exact, COUNTS, CLOSE)
