"""Losses and Kullback-Leibler divergences of linear diffusion models, for any spectrum and schedule.

The sampled covariance is F(Sigma_hat) and denoisers are f(Sigma_hat), so with R(x) and S(x) the averages of
(1 - sqrt(h) f)^2 and a^2 f^2 over the schedule's levels all metrics are one-point functionals (`one_point`):

    kl_sampled_target = (1/2) [ tr Sigma^-1 F - 1 - log F + log Sigma ]
    kl_target_sampled = (1/2) [ tr Sigma F^-1 - 1 + log F - log Sigma ]
    test       = R + Sigma S,    train = R + Sigma_hat S
    covariance = F^2 - 2 Sigma F + Sigma^2                     each under (1/d) tr

With two splits their consistency and spread follow from the mean of F^{1/2} (`overlap`). A planted direction
has metrics of its own (`planted`).

log F and 1/F are analytic where F has neither zero nor pole. That is checked, by the number of turns that
F takes around zero along the contour, and the contour is drawn closer to the spectrum where it fails.

Source: Merger, Goldt, arXiv 2505.24769, for the setting.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from simdiff.errors import InputError
from simdiff.parts.registry import register
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.linear_chain.learned_mean import Training, mean_divergence, training_law
from simdiff.theory.linear_chain.one_point import Rule, rule
from simdiff.theory.linear_chain.overlap import exact_map_square, mean_map_square
from simdiff.theory.linear_chain.planted import planted_metrics
from simdiff.theory.protocols import Chain

PerTime = Float[np.ndarray, " t"]
Table = Complex[np.ndarray, "t k"]

COUNTS = (64, 128, 256, 512, 1024)
"""Nodes of the rules tried in turn, until two agree."""

ACCURACY = 1e-8
WIDTH = 0.75
"""Half the ellipse's width: below pi / 4, where sampling without ridge has Re F > 0."""

TIGHTER = 5
"""How often the contour is drawn closer, at half the width and a quarter of the offset each time."""


class Around(NamedTuple):
    """How the contour goes around the spectrum, see `one_point.rule`."""

    offset: float
    width: float


@register("theory", "linear_sampling")
def predict(problem: Any) -> dict[str, float | PerTime]:
    """Limits of the metrics of a `LinearSampling`: floats, or arrays over `problem.times`.

    For the problem that `at_size(d)` returns, means at size d up to terms of order 1/d^2, those of a learned
    bias included (`learned_mean`). Reads `psi_n`, `size`, `bias`, `data.spectrum()`, whether
    divergences are asked for (`kl`), and the model's definition: `spectral_functions(x)`, `margin` and
    `singular`. A value whose accuracy cannot be vouched for is nan, with a `ConvergenceWarning`.

    Raises:
        InputError: a problem of another kind.
    """
    if not callable(getattr(problem, "spectral_functions", None)):
        raise InputError(
            "theory", "linear_sampling", "a LinearSampling problem", f"it is {type(problem).__name__}"
        )
    s, weights = problem.data.spectrum()
    training = training_law(s, weights, float(problem.psi_n), problem.size, problem.bias)
    values = (
        None
        if training is None or _infinite(problem, training)
        else searched(problem, training, Rules(_rule, _square, _exact, COUNTS, ACCURACY))
    )
    if values is None:
        message = f"no reliable limit at psi_n={problem.psi_n:.6g}: it is nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
        values = {name: np.full(len(problem.times or (0,)), math.nan) for name in names(problem)}
    elif training is not None and problem.data.planted() is not None:
        values |= planted_metrics(problem, training.law)
    if problem.times is None:
        return {name: float(value[0]) for name, value in values.items()}
    return dict(values)


def _infinite(problem: Chain, training: Training) -> bool:
    """Whether the mean of a divergence is infinite at this size: tr Sigma_hat^-1 with N too near d."""
    law = training.law
    return bool(problem.kl and problem.singular and law.size and round(law.psi_n * law.size) <= law.size + 1)


def names(problem: Chain) -> tuple[str, ...]:
    """The metrics that are predicted."""
    divergences = ("kl_sampled_target", "kl_target_sampled") if problem.kl else ()
    overlaps = ("consistency", "spread") if problem.splits == 2 else ()
    planted = () if problem.data.planted() is None else ("recovery", "planted_variance")
    return (*divergences, "test", "train", "covariance", *overlaps, *planted)


class Rules(NamedTuple):
    """How functionals are taken: rules of so many nodes in turn, until two agree to `accuracy`.

    `square` gives (1/d) tr of the squared mean of a function of Sigma_hat, from its values at the nodes;
    `exact` that of the root.
    """

    rule: Callable[[Training, Around, int], Rule]
    square: Callable[[Training, Around, int, Table], PerTime]
    exact: Callable[[Training], PerTime]
    counts: tuple[int, ...]
    accuracy: float


def searched(problem: Chain, training: Training, rules: Rules) -> dict[str, PerTime] | None:
    """The values by the widest contour that serves; None where none does."""
    around = first_contour(problem)
    for _ in range(TIGHTER):
        values = _converged(problem, training, around, rules)
        if values is not None:
            return values
        around = Around(0.25 * around.offset, 0.5 * around.width)
    return None


def first_contour(problem: Chain) -> Around:
    """Half way to the first singularity left of zero; with a degenerate sampled law, zero stays outside."""
    margin = float(problem.margin)
    if problem.kl or (problem.splits == 2 and not problem.singular):
        least = float(np.min(problem.spectral_functions(np.zeros(1, complex)).variance.real))
        margin = 0.0 if problem.singular else min(margin, least)
    return Around(0.5 * margin, WIDTH)


def _converged(problem: Chain, training: Training, around: Around, rules: Rules) -> dict[str, PerTime] | None:
    """The values at which two rules agree; None if none do or F turns around zero."""
    before: dict[str, PerTime] | None = None
    for count in rules.counts:
        values, turns = _row(problem, training, around, rules, count)
        if before is not None and _distance(before, values) < rules.accuracy:
            return values if turns == 0 else None
        before = values
    return None


def _rule(training: Training, around: Around, count: int) -> Rule:
    """Nodes with weights for the observables."""
    return rule(training.law, observables(training.eigenvalues), *around, count)


def observables(s: Float[np.ndarray, " s"]) -> Float[np.ndarray, "3 s"]:
    """W = 1, s and, where that exists, 1/s."""
    return np.stack([np.ones_like(s), s, np.divide(1.0, s, out=np.zeros_like(s), where=s > 0)])


def _row(
    problem: Chain, training: Training, around: Around, rules: Rules, count: int
) -> tuple[dict[str, PerTime], int]:
    """All metrics by one rule, and how often F turns around zero along the contour."""
    quadrature = rules.rule(training, around, count)
    z = quadrature.nodes
    variance, gain, residual, slope = problem.spectral_functions(z)
    one, sigma, inverse = (lambda g, w=w: np.real(g @ w) for w in quadrature.weights)
    s, weights, of_mean = training.eigenvalues, training.law.weights, training.of_mean
    constant = one(residual)
    values = {
        "test": constant + (1.0 + of_mean) * sigma(slope),
        "train": constant + one(z * slope),
        "covariance": one(variance**2) - 2.0 * sigma(variance) + weights @ s**2,
    }
    log, turns = logarithm(variance)
    if problem.splits == 2:
        own = maps_exactly(problem)
        square = rules.exact(training) if own else rules.square(training, around, count, np.exp(0.5 * log))
        values["consistency"] = square / (weights @ s)
        values["spread"] = 2.0 * ((weights @ s if own else one(variance)) - square)
        turns = 0 if own and not problem.kl else turns
    if not problem.kl:
        return values, turns if problem.splits == 2 else 0
    ratio = one(log) - weights @ np.log(s)
    values["kl_sampled_target"] = 0.5 * (inverse(variance) - 1.0 - ratio)
    values["kl_target_sampled"] = 0.5 * (sigma(1.0 / variance) - 1.0 + ratio)
    if of_mean:
        values["kl_sampled_target"] += 0.5 * of_mean * mean_divergence(training, gain, *around)
        values["kl_target_sampled"] += 0.5 * of_mean * sigma(gain**2 / variance)
    return values, turns


def maps_exactly(problem: Chain) -> bool:
    """Whether F(x) = x, whose root has a branch point at zero."""
    x = np.array([0.5, 2.0])
    return bool(problem.singular and np.allclose(problem.spectral_functions(x).variance, x, rtol=1e-9))


def _square(training: Training, around: Around, count: int, root: Table) -> PerTime:
    return mean_map_square(training.law, *around, count, root)


def _exact(training: Training) -> PerTime:
    return exact_map_square(training.law)


def logarithm(variance: Table) -> tuple[Table, int]:
    """Log F continued along the nodes from the right end, where F is nearly real, and the turns taken.

    F is real and positive on the real axis, so both ends have phases near 0 unless zeros are enclosed.
    """
    phase = np.unwrap(np.angle(variance), axis=1)
    turns = int(np.max(np.abs(np.rint(phase[:, -1] / np.pi))))
    return np.log(np.abs(variance)) + 1j * phase, turns


def _distance(before: dict[str, PerTime], after: dict[str, PerTime]) -> float:
    """Largest relative change, of values above 1e-6; infinite where a value is not finite."""
    changes = [np.max(np.abs(before[name] - after[name]) / (1e-6 + np.abs(after[name]))) for name in after]
    largest = float(np.max(changes))
    return largest if math.isfinite(largest) else math.inf
