"""Losses and divergences of linear sampling on points of any law: functionals of `linear_chain`."""

from __future__ import annotations

import numpy as np

from simdiff.errors import InputError
from simdiff.theory.leave_one_out.contour_rule import CLOSE, COUNTS, Functionals
from simdiff.theory.leave_one_out.population import Population
from simdiff.theory.linear_chain.learned_mean import Training
from simdiff.theory.linear_chain.linear_sampling import Around, PerTime, Rules, Table, observables, searched
from simdiff.theory.linear_chain.one_point import Rule, SpectralLaw
from simdiff.theory.protocols import Chain


def sampled_metrics(problem: Chain, points: Population, count: int) -> dict[str, np.ndarray] | None:
    """All metrics of a `LinearSampling`, arrays over times; None where they are not known.

    Divergences without ridge or early stopping have infinite means: training sets drawn with replacement
    are degenerate with a small probability. The overlap of two models is not known there either.

    Raises:
        InputError: a bias.
    """
    if problem.bias:
        hint = "a bias is a term of order 1/N, which this theory has without it only"
        raise InputError("bias", True, "false for theory=leave_one_out", hint)
    if problem.singular and (problem.kl or problem.splits == 2):
        return None
    s, functionals = points.eigenvalues, Functionals(points, count)
    training = Training(SpectralLaw(s, np.full(s.size, 1.0 / s.size), float(problem.psi_n)), s)

    def rule(training: Training, around: Around, nodes: int) -> Rule:
        return functionals.rule(observables(training.eigenvalues), *around, nodes)

    def square(training: Training, around: Around, nodes: int, root: Table) -> PerTime:
        return functionals.mean_square(*around, nodes, root)

    return searched(problem, training, Rules(rule, square, COUNTS, CLOSE))
