"""Linear denoisers: losses and both divergences against theory, for power laws, ridges and stopping times.

    python benchmarks/linear_table.py            # all points
    python benchmarks/linear_table.py 0 4        # points 0 to 3 only

Exponents 0.5, 1 and 2, N/d from 0.25 to 8; ridge 0.01 and 0.3 with the reverse SDE, gradient flow stopped
at times 1, 10 and 100 (reverse SDE from time 5), and for N > d no regularisation at all. The rule is fixed
before any trial: sizes 48, 96, 192, precision 0.005 at alpha 0.05, Holm over all comparisons, at most 1024
trials per size (which leaves the covariance error, whose spread exceeds its mean at exponent 2, undecided).
Stored in results/linear_table.*.
"""

from __future__ import annotations

import itertools
import sys

from tables import run_table

import simdiff
from simdiff.data import PowerLaw
from simdiff.trainers import GradientFlow, Ridge

EXPONENTS, RATIOS = (0.5, 1.0, 2.0), (0.25, 0.5, 1.0, 2.0, 8.0)
TRAINERS = (Ridge(0.01), Ridge(0.3), GradientFlow((1.0, 10.0, 100.0)))
RUN_SETTINGS = {"sizes": (48, 96, 192), "precision": 0.005, "alpha": 0.05, "seed": 0, "max_trials": 1024}


def problems() -> list[simdiff.LinearSampling]:
    """Every combination, and no regularisation where N > d."""
    cases = [(e, r, trainer) for e, r in itertools.product(EXPONENTS, RATIOS) for trainer in TRAINERS]
    cases += [(e, r, None) for e in EXPONENTS for r in RATIOS if r > 1]
    return [simdiff.LinearSampling(PowerLaw(e), trainer, psi_n=r, samples=0) for e, r, trainer in cases]


if __name__ == "__main__":
    chosen = [int(word) for word in sys.argv[1:]]
    run_table("linear_table", problems(), RUN_SETTINGS, within=0.005, chosen=chosen)
