"""How many trials each size needs, from standard deviations and costs alone.

The limit of metric k is `sum_d w_d mean_d`, with squared error `sum_d w_d^2 s_kd^2 / N_d`. The cheapest
numbers of trials that bring every metric's error down to its target minimise `sum_d cost_d N_d`; with one
multiplier lambda_k a metric the optimum is Neyman's,

    N_d = sqrt(sum_k lambda_k w_d^2 s_kd^2 / T_k^2 / cost_d),

and the multipliers are found by the fixed-point iteration lambda_k <- lambda_k * (error_k / T_k)^2, which
raises those of the metrics that are not yet precise and lets the others fade. Where the weights w depend on N
they are refreshed on the way, which leads to the c-optimal design. Values of a metric, let alone its
agreement with a theory, do not enter.

What is asked for are half widths of confidence intervals. More trials make these narrower in two ways: the
standard error falls, and so does the quantile of Student's t, as a variance from more trials is better known.
Both are foreseen: with the quantile of a pilot's few trials, plans asked for up to half as many trials again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from simdiff.validation.corrections import Corrections
from simdiff.validation.estimators import FloatArray, IntArray
from simdiff.validation.finite_size import fit_operator

_ITERATIONS = 100
_SETTLED = 1e-3
"""Relative accuracy of the optimum: far finer than a batch."""
_ATTAINABLE = 1.05
"""A target out of reach is replaced by this times the width that the most trials allowed would give: the last
few per cent of precision would otherwise be bought by filling up every size."""


def allocate(
    stds: FloatArray,
    targets: FloatArray,
    *,
    sizes: FloatArray,
    corrections: Sequence[Corrections],
    costs: FloatArray,
    current: IntArray,
    most: int,
    batch: int = 1,
    budget: float | None = None,
    quantile: Callable[[FloatArray], FloatArray] = np.ones_like,
) -> IntArray:
    """Total trials wanted at each size, shape (K,), at least `current` and at most `most` each.

    stds: (M, K) standard deviation of one trial, for each metric and size.
    targets: (M,) half widths asked of the limits: `quantile(dof)` standard errors.
    corrections: (M,) those of each metric's fit.
    costs: (K,) cost of one trial; `budget` bounds the cost of all trials, those already run included.
    quantile: standard errors to a half width, given the degrees of freedom (M,) of these errors.
    """
    problem = _Design(stds, np.asarray(targets, np.float64), sizes, corrections, costs, quantile)
    start = current.astype(np.float64)
    top = np.maximum(start, most)
    problem.targets = np.maximum(problem.targets, _ATTAINABLE * problem.widths(top))
    wanted = problem.cheapest(start, top)
    rounded = np.minimum(np.ceil(wanted / batch - 1e-9) * batch, top)
    wanted = np.where(wanted <= start * (1 + _SETTLED), start, np.maximum(rounded, start))
    if budget is not None:
        wanted = _within_budget(wanted, start, costs, budget, batch)
    return wanted.astype(np.int64)


class _Design:
    """The inputs of the optimisation and the errors they imply."""

    def __init__(
        self,
        stds: FloatArray,
        targets: FloatArray,
        sizes: FloatArray,
        corrections: Sequence[Corrections],
        costs: FloatArray,
        quantile: Callable[[FloatArray], FloatArray],
    ) -> None:
        self.stds, self.targets, self.sizes, self.costs = stds, targets, sizes, costs
        self.corrections, self.quantile = corrections, quantile

    def parts(self, trials: FloatArray) -> FloatArray:
        """(M, K): w_d^2 s_kd^2, each metric's squared error by size, before division by N_d."""
        rows = {c: fit_operator(self.sizes, trials, c)[0] for c in set(self.corrections)}
        weights = np.stack([rows[c] for c in self.corrections])
        return (weights * self.stds) ** 2

    def widths(self, trials: FloatArray) -> FloatArray:
        """(M,) half widths of the limits' intervals, with Welch-Satterthwaite's degrees of freedom."""
        return self._widths(self.parts(trials) / trials, trials)

    def _widths(self, errors2: FloatArray, trials: FloatArray) -> FloatArray:
        total = np.sum(errors2, axis=1)
        dof = total**2 / np.sum(errors2**2 / (trials - 1), axis=1)
        return np.sqrt(total) * self.quantile(dof)

    def cheapest(self, start: FloatArray, top: FloatArray) -> FloatArray:
        """Trials between `start` and `top`, of least cost, that reach every target."""
        multipliers, trials = np.ones(len(self.targets)), start
        targets = np.maximum(self.targets, np.finfo(np.float64).tiny ** 0.5)
        for _ in range(_ITERATIONS):
            parts = self.parts(trials)
            wanted = np.sqrt((multipliers / targets**2) @ parts / self.costs)
            before, trials = trials, np.clip(wanted, start, top)
            load = (self._widths(parts / trials, trials) / targets) ** 2
            if np.max(load) <= 1 + _SETTLED and np.all(np.abs(trials - before) <= _SETTLED * before):
                break
            multipliers = multipliers * load
        return self._scaled(trials, start, top)

    def _scaled(self, trials: FloatArray, start: FloatArray, top: FloatArray) -> FloatArray:
        """Find the smallest multiple of `trials`, clipped, that reaches every target."""
        low, high = 0.0, float(np.max(top / np.maximum(trials, 1e-300)))
        for _ in range(40):
            middle = (low + high) / 2
            reached = np.all(self.widths(np.clip(middle * trials, start, top)) <= self.targets * (1 + 1e-9))
            low, high = (low, middle) if reached else (middle, high)
        return np.clip(high * trials, start, top)


def _within_budget(
    wanted: FloatArray, start: FloatArray, costs: FloatArray, budget: float, batch: int
) -> FloatArray:
    """Further trials cut in proportion, to whole batches, so that all trials cost at most `budget`."""
    extra, left = wanted - start, budget - float(costs @ start)
    price = float(costs @ extra)
    if price <= left:
        return wanted
    share = max(left, 0.0) / price if price > 0 and math.isfinite(price) else 0.0
    return start + np.floor(extra * share / batch) * batch
