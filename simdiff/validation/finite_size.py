"""The limit d -> infinity of a metric measured at a few sizes, with an honest standard error.

Means at sizes d are fitted by `E(d) = E_inf + sum_k c_k g_k(d)` with the corrections g_k of the rule, by
default 1/d and 1/d^2 (1/d alone for two sizes).

Which corrections, and why it is not left to the data. The usual recipe, 1/d alone unless that fit looks poor,
spoils the test: the curvature that biases E_inf is too small to see in the fit and too large to ignore.
Measured rejection rates of a true null at alpha = 0.05 (sizes 100, 200, 400; trial standard deviation
1.5% at d = 100 and falling as 1/d; trials as precision 0.005 needs; 40,000 repetitions; Monte-Carlo error
0.002), with q = c2/d^2 at d = 100:

    q                                      0       0.3%    0.6%    1%
    1/d always                             0.050   0.131   0.376   0.776
    1/d^2 too if 1/d fits at p < 0.05      0.081   0.155   0.366   0.655
    1/d^2 too if 1/d fits at p < 0.5       0.076   0.114   0.205   0.278
    1/d and 1/d^2 always                   0.052   0.051   0.049   0.050

No rule that looks at the data can do better in general: the data that would show the curvature to be
harmless are the data that the larger fit needs. So the corrections are fixed before the run, and the price (a
standard error 1.2 to 1.8 times larger for the same trials) is paid in trials. The goodness of a fit never
chooses between corrections; where it is poor there is no verdict on the limit. `nested` shows what fewer
corrections would have given, for the reader alone.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import special

from simdiff.validation.corrections import Corrections, default_corrections, design, scales
from simdiff.validation.estimators import FloatArray, SizeStats


@dataclasses.dataclass(frozen=True)
class FiniteSizeFit:
    """A fitted limit, or the mean at the only size. NaN marks what too few usable sizes cannot give.

    `coefficients` are (E_inf, c_1, ...) with d as it is; `weights` (one for each fitted size, summing to 1)
    make the limit: E_inf = sum_d weights_d mean_d. `dof` are the effective degrees of freedom of `stderr`;
    `chi2` and `p_fit` measure the fit's residuals, with `chi2_dof` = sizes - coefficients degrees of freedom,
    and are NaN when there are none.
    """

    limit: float
    stderr: float
    dof: float
    corrections: Corrections
    chi2: float
    chi2_dof: int
    p_fit: float
    coefficients: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def order(self) -> int:
        """How many corrections were fitted."""
        return len(self.corrections)

    @property
    def testable(self) -> bool:
        """Whether there are more sizes than coefficients, or nothing is extrapolated."""
        return self.chi2_dof > 0 or not self.corrections

    def half_width(self, confidence: float = 0.95) -> float:
        """Half the width of the limit's two-sided confidence interval (Student t with `dof`)."""
        if self.stderr == 0.0 or math.isnan(self.stderr):
            return self.stderr
        return float(special.stdtrit(self.dof, 0.5 + confidence / 2) * self.stderr)


def fit_operator(sizes: FloatArray, counts: FloatArray, corrections: Corrections) -> FloatArray:
    """Matrix (1 + number of corrections, K) that takes means at `sizes` to the coefficients.

    Least squares with weights N_d d^2, that is for a trial standard deviation proportional to 1/d. Estimated
    variances stay out of the weights: they would favour sizes whose variance happens to come out small,
    and the standard error with them. Fixed weights keep the limit unbiased and its error honest whatever
    the true variances are. Row 0 holds the weights of the limit.
    """
    root = np.sqrt(counts) * np.asarray(sizes, np.float64) / np.min(sizes)
    inverse = np.linalg.pinv(root[:, None] * design(corrections, sizes))
    return inverse * root * scales(corrections, sizes)[:, None]


def fit_limit(stats: SizeStats, corrections: Corrections | None = None) -> FiniteSizeFit:
    """Fit the limit from the sizes that have at least two usable trials.

    `corrections`: None for the default of the number of sizes. The last ones are dropped when too few sizes
    are usable. Where there is one size in all, nothing is extrapolated: the mean there. The standard error
    combines each size's own sample variance with the fit's weights, its degrees of freedom are
    Welch-Satterthwaite's.
    """
    use = stats.counts >= 2
    usable = int(use.sum())
    wanted = default_corrections(len(stats.sizes)) if corrections is None else corrections
    if usable < min(2, len(stats.sizes)):
        return FiniteSizeFit(math.nan, math.nan, math.nan, wanted, math.nan, 0, math.nan, (), ())
    means, errors2 = stats.means[use], (stats.variances / np.maximum(stats.counts, 1))[use]
    sizes, counts = stats.sizes[use].astype(np.float64), stats.counts[use].astype(np.float64)
    return _fit(sizes, counts, means, errors2, wanted[: usable - 1])


def nested(stats: SizeStats, corrections: Corrections | None = None) -> list[FiniteSizeFit]:
    """The fits with none of the corrections, the first, the first two, and so on."""
    whole = default_corrections(len(stats.sizes)) if corrections is None else corrections
    return [fit_limit(stats, whole[:count]) for count in range(len(whole) + 1)]


def _fit(
    sizes: FloatArray, counts: FloatArray, means: FloatArray, errors2: FloatArray, corrections: Corrections
) -> FiniteSizeFit:
    """Fit given corrections; `errors2` are squared standard errors of the means."""
    operator = fit_operator(sizes, counts, corrections)
    parts = operator[0] ** 2 * errors2
    total = float(parts.sum())
    dof = total**2 / float(np.sum(parts**2 / (counts - 1))) if total > 0 else math.inf
    chi2, p_fit = lack_of_fit(sizes, counts, means, errors2, corrections)
    left = len(sizes) - len(corrections) - 1
    found = tuple(float(c) for c in operator @ means)
    weights = tuple(float(w) for w in operator[0])
    return FiniteSizeFit(found[0], math.sqrt(total), dof, corrections, chi2, left, p_fit, found, weights)


def lack_of_fit(
    sizes: FloatArray, counts: FloatArray, means: FloatArray, errors2: FloatArray, corrections: Corrections
) -> tuple[float, float]:
    """(chi2, p) of a fit with these corrections; see `residual_test`."""
    return residual_test(design(corrections, sizes), counts, means, errors2)


def residual_test(
    columns: FloatArray, counts: FloatArray, means: FloatArray, errors2: FloatArray
) -> tuple[float, float]:
    """(chi2, p): residual sum of squares of the best fit by columns, and its p-value for estimated variances.

    The p-value is Johansen's (Biometrika 67, 85 (1980)): chi2 / c against F(r, f) with r = K - coefficients,
    A = sum_d m_d^2 / (N_d - 1), m_d the diagonal of the residual projection, c = r + 2 A - 6 A / (r + 2),
    f = r (r + 2) / (3 A). It is Welch's test where r = 1. NaN when r = 0 or a variance is zero.
    """
    rank = columns.shape[0] - columns.shape[1]
    if rank < 1 or np.any(errors2 <= 0):
        return math.nan, math.nan
    root = 1 / np.sqrt(errors2)
    columns = root[:, None] * columns
    residual = np.eye(len(means)) - columns @ np.linalg.pinv(columns)
    chi2 = float(np.sum((residual @ (root * means)) ** 2))
    spread = float(np.sum(np.diag(residual) ** 2 / (counts - 1)))
    factor = rank + 2 * spread - 6 * spread / (rank + 2)
    freedom = rank * (rank + 2) / (3 * spread)
    return chi2, float(special.fdtrc(rank, freedom, chi2 / factor))
