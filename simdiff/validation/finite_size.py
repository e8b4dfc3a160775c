"""The limit d -> infinity of a metric measured at a few sizes, with an honest standard error.

Means at sizes d are fitted by `E(d) = E_inf + c/d` (order 1) or `E_inf + c/d + c2/d^2` (order 2).

Which order, and why it is not left to the data. The usual recipe, order 1 unless that fit looks poor,
spoils the test: the curvature that biases E_inf is too small to see in the fit and too large to ignore.
Measured rejection rates of a true null at alpha = 0.05 (sizes 100, 200, 400; trial standard deviation
1.5% at d = 100 and falling as 1/d; trials as precision 0.005 needs; 40,000 repetitions; Monte-Carlo error
0.002), with q = c2/d^2 at d = 100:

    q                                    0       0.3%    0.6%    1%
    order 1 always                       0.050   0.131   0.376   0.776
    order 2 if order 1 fits at p < 0.05  0.081   0.155   0.366   0.655
    order 2 if order 1 fits at p < 0.5   0.076   0.114   0.205   0.278
    order 2 always                       0.052   0.051   0.049   0.050

No rule that looks at the data can do better in general: the data that would show the curvature to be
harmless are the data that an order-2 fit needs. So three or more sizes are fitted with order 2, two sizes
with order 1, and the price (a standard error 1.2 to 1.8 times larger for the same trials) is paid in
trials. A user who knows the curvature to be negligible may ask for order 1; it is then still raised to 2
when the fit is poor (p < 0.05), at the calibration of the second line.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import stats as distributions

from simdiff.errors import InputError
from simdiff.validation.estimators import FloatArray, SizeStats

RAISE_BELOW = 0.05
"""An order-1 fit with a smaller goodness-of-fit p-value is replaced by order 2."""


@dataclasses.dataclass(frozen=True)
class FiniteSizeFit:
    """A fitted limit, or the mean at the only size. NaN marks what too few usable sizes cannot give.

    `coefficients` are (E_inf, c[, c2]) with d as it is; `weights` (one a fitted size, summing to 1) make
    the limit: E_inf = sum_d weights_d mean_d. `dof` are the effective degrees of freedom of `stderr`;
    `chi2` and `p_fit` measure the fit's residuals and are NaN when no degree of freedom is left for them.
    """

    limit: float
    stderr: float
    dof: float
    order: int
    chi2: float
    p_fit: float
    coefficients: tuple[float, ...]
    weights: tuple[float, ...]

    def half_width(self, confidence: float = 0.95) -> float:
        """Half the width of the limit's two-sided confidence interval (Student t with `dof`)."""
        if self.stderr == 0.0 or math.isnan(self.stderr):
            return self.stderr
        return float(distributions.t.ppf(0.5 + confidence / 2, self.dof) * self.stderr)


def default_order(sizes: int) -> int:
    """Order of the fit to this many sizes; see the module's table for the reason."""
    return 2 if sizes >= 3 else 1


def fit_operator(sizes: FloatArray, counts: FloatArray, order: int) -> FloatArray:
    """Matrix (order + 1, K) that takes means at `sizes` to the coefficients of powers of 1/d.

    Least squares with weights N_d d^2, that is for a trial standard deviation proportional to 1/d. Estimated
    variances stay out of the weights: they would favour sizes whose variance happens to come out small,
    and the standard error with them. Fixed weights keep the limit unbiased and its error honest whatever
    the true variances are. Row 0 holds the weights of the limit.
    """
    scale = float(np.min(sizes))
    u = scale / np.asarray(sizes, np.float64)
    root = np.sqrt(counts) / u
    design = np.vander(u, order + 1, increasing=True)
    return np.linalg.pinv(root[:, None] * design) * root * scale ** np.arange(order + 1)[:, None]


def fit_limit(stats: SizeStats, order: int | None = None) -> FiniteSizeFit:
    """Fit the limit from the sizes that have at least two usable trials.

    `order`: None for the default of the number of sizes; 2; or 1, raised to 2 when the fit is poor. It is
    lowered when fewer than order + 1 sizes are usable. Where there is one size in all, nothing is
    extrapolated: order 0, the mean there. The standard error combines each size's own sample variance with
    the fit's weights, its degrees of freedom are Welch-Satterthwaite's.
    """
    if order not in (None, 1, 2):
        raise InputError("order", order, "1, 2 or None")
    use = stats.counts >= 2
    usable = int(use.sum())
    if usable < min(2, len(stats.sizes)):
        return FiniteSizeFit(math.nan, math.nan, math.nan, 1, math.nan, math.nan, (), ())
    wanted = min(order or default_order(usable), usable - 1)
    means, errors2 = stats.means[use], (stats.variances / np.maximum(stats.counts, 1))[use]
    sizes, counts = stats.sizes[use].astype(np.float64), stats.counts[use].astype(np.float64)
    fit = _fit(sizes, counts, means, errors2, wanted)
    if wanted == 1 and usable >= 3 and fit.p_fit < RAISE_BELOW:
        fit = _fit(sizes, counts, means, errors2, 2)
    return fit


def _fit(
    sizes: FloatArray, counts: FloatArray, means: FloatArray, errors2: FloatArray, order: int
) -> FiniteSizeFit:
    """Fit at a given order; `errors2` are squared standard errors of the means."""
    operator = fit_operator(sizes, counts, order)
    parts = operator[0] ** 2 * errors2
    total = float(parts.sum())
    dof = total**2 / float(np.sum(parts**2 / (counts - 1))) if total > 0 else math.inf
    chi2, p_fit = lack_of_fit(sizes, counts, means, errors2, order)
    coefficients = tuple(float(c) for c in operator @ means)
    weights = tuple(float(w) for w in operator[0])
    return FiniteSizeFit(coefficients[0], math.sqrt(total), dof, order, chi2, p_fit, coefficients, weights)


def lack_of_fit(
    sizes: FloatArray, counts: FloatArray, means: FloatArray, errors2: FloatArray, order: int
) -> tuple[float, float]:
    """(chi2, p): residual sum of squares of the best fit, and its p-value for estimated variances.

    The p-value is Johansen's (Biometrika 67, 85 (1980)): chi2 / c against F(r, f) with r = K - order - 1,
    A = sum_d m_d^2 / (N_d - 1), m_d the diagonal of the residual projection, c = r + 2 A - 6 A / (r + 2),
    f = r (r + 2) / (3 A). It is Welch's test where r = 1. NaN when r = 0 or a variance is zero.
    """
    rank = len(sizes) - order - 1
    if rank < 1 or np.any(errors2 <= 0):
        return math.nan, math.nan
    root = 1 / np.sqrt(errors2)
    design = root[:, None] * np.vander(np.min(sizes) / sizes, order + 1, increasing=True)
    residual = np.eye(len(sizes)) - design @ np.linalg.pinv(design)
    chi2 = float(np.sum((residual @ (root * means)) ** 2))
    spread = float(np.sum(np.diag(residual) ** 2 / (counts - 1)))
    factor = rank + 2 * spread - 6 * spread / (rank + 2)
    freedom = rank * (rank + 2) / (3 * spread)
    return chi2, float(distributions.f.sf(chi2 / factor, rank, freedom))
