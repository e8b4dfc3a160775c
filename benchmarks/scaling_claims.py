"""Calibration and power of verdicts on exponents, critical points and data collapse.

Made-up data with known answers.

    python benchmarks/scaling_claims.py [seeds]       # default 200

collapse: percolation-like curves f((t - t_c) d^b) with b = 1/nu = 3/4, four sizes, 13 points each, as in the
tests; exponent: values C / n at five sizes with 24 trials of 5% each; crossing: Binder-like curves that
cross at t_c - 5 / (d d'). Each seed is judged against the right number and against wrong ones; `disagree`
is the share of rejections at alpha = 0.05, `expected` what the mean error says it should be. Stored in
results/scaling_claims.*, and one collapse as a figure in results/scaling_collapse.png.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from scipy.special import expit
from scipy.stats import norm

from simdiff.report.plots.collapse import collapse_figure
from simdiff.validation import size_stats
from simdiff.validation.claims import Fitted, judge_claim
from simdiff.validation.crossings import crossing_limit, crossings
from simdiff.validation.curves import Curve, known_curve
from simdiff.validation.exponents import fit_exponent
from simdiff.validation.scaling import collapse_curves

CRITICAL, NU = 0.593, 4 / 3
WORDS = ("agree", "disagree", "inconclusive", "does not fit")
WRONG = (0.0, 0.01, 0.02, 0.05, 0.1)
PRECISION = {"collapse exponent": 0.05, "collapse critical point": 0.005, "exponent": 0.05, "crossing": 0.003}


def percolation(seed: int) -> list[Curve]:
    """Spanning probabilities at four sizes, errors 0.01."""
    rng, x, curves = np.random.default_rng(seed), np.linspace(-2.0, 2.0, 13), []
    for d in (64, 128, 256, 512):
        seen = expit(2 * x + 0.4 * x**2) + 0.01 * rng.standard_normal(13)
        curves.append(known_curve(d, CRITICAL + x * d ** (-1 / NU), seen, np.full(13, 0.01)))
    return curves


def fitted(seed: int) -> dict[str, tuple[Fitted, float]]:
    """{claim: (the number found, the right one)}."""
    collapse = collapse_curves(percolation(seed), 0.6, 1.0, degree=7)
    rng = np.random.default_rng([seed, 1])
    values = {n: 3 / n * (1 + 0.05 * rng.standard_normal(24)) for n in (8, 16, 32, 64, 128)}
    t, curves = np.linspace(0.96, 1.02, 15), []
    for d in (16, 24, 32, 48, 64):
        seen = np.tanh(0.1 * (t - 1) * d) - 0.5 / d + 1e-3 * rng.standard_normal(15)
        curves.append(known_curve(d, t, seen, np.full(15, 1e-3)))
    return {
        "collapse exponent": (collapse.exponent, 1 / NU),
        "collapse critical point": (collapse.critical, CRITICAL),
        "exponent": (fit_exponent(size_stats(values)), -1.0),
        "crossing": (crossing_limit(crossings(curves, (0.96, 1.02)), 2.0)[0], 1.0),
    }


def rejected(z: float) -> float:
    """The chance of p < 0.05, where the prediction is z errors off."""
    return float(norm.sf(norm.isf(0.025) - z) + norm.cdf(-norm.isf(0.025) - z))


def main(seeds: int = 200) -> None:
    """Run, count, store."""
    found = [fitted(seed) for seed in range(seeds)]
    rows = []
    for claim in found[0]:
        numbers = [each[claim] for each in found]
        errors = np.mean([number.stderr for number, _ in numbers])
        for off in WRONG:
            predicted = numbers[0][1] * (1 + off)
            words = [judge_claim(number, predicted, PRECISION[claim]).verdict for number, _ in numbers]
            row = {"claim": claim, "off": off, "seeds": seeds, "mean_stderr": errors}
            row |= {word: words.count(word) / seeds for word in WORDS}
            rows.append(row | {"expected": rejected(off * abs(numbers[0][1]) / errors)})
        pulls = [(number.value - right) / number.stderr for number, right in numbers]
        print(claim, "pulls", np.mean(pulls), np.std(pulls), "p_fit", np.mean([n.p_fit for n, _ in numbers]))
    curves = percolation(0)
    figure = collapse_figure(curves, collapse_curves(curves, 0.6, 1.0, degree=7), x="p", y="P")
    figure.savefig(RESULTS / "scaling_collapse.png", dpi=160)
    about = {"seeds": seeds, "precision": PRECISION, "b": 1 / NU, "t_c": CRITICAL}
    store("scaling_claims", pd.DataFrame(rows), facts("python benchmarks/scaling_claims.py", **about))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
