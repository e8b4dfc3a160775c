"""The centroid of a flow learned from n samples: trials at d = 4,096 against the closed form.

    python benchmarks/few_sample_flow.py

sigma = 0.5 and 1.5, ridge 0.1, denoisers with learned labels, TRIALS trials each. Means of the three metrics
and how far they are from the limit, whose corrections are of order d^(-1/2) = 1.6%. `exponents`: the power of
n of the centroid's error, with a correction 1/n, the verdict on -1 and on -1.05. Stored in
results/few_sample_flow.*.
"""

from __future__ import annotations

import pandas as pd
from common import facts, store

import simdiff
from simdiff.validation.claims import judge_claim
from simdiff.validation.estimators import SizeStats, size_stats
from simdiff.validation.exponents import fit_exponent

SAMPLES, SIGMAS, SIZE, TRIALS, SEED = (4, 16, 64, 256), (0.5, 1.5), 4096, 16, 0


def main() -> None:
    """Run, fit, store."""
    table, exponents = [], {}
    found: dict[tuple[float, int], pd.DataFrame] = {}
    for n in SAMPLES:
        for sigma in SIGMAS:  # one program
            problem = simdiff.FewSampleFlow(n=n, sigma=sigma, steps=24, samples=32)
            rows = found[sigma, n] = simdiff.simulate(problem, d=SIZE, trials=TRIALS, seed=SEED)
            for metric, limit in simdiff.predict(problem).items():
                mean, error = rows[metric].mean(), rows[metric].sem()
                entry = {
                    "sigma": sigma,
                    "n": n,
                    "metric": metric,
                    "limit": limit,
                    "mean": mean,
                    "stderr": error,
                }
                table.append(entry | {"deviation": mean / limit - 1, "deviation_stderr": error / limit})
                print(table[-1], flush=True)
    for sigma in SIGMAS:
        errors = {n: found[sigma, n]["centroid_error"].to_numpy() for n in SAMPLES}
        exponents[str(sigma)] = exponent(size_stats(errors))
    about = {"seed": SEED, "ridge": 0.1, "d": SIZE, "trials": TRIALS, "exponents": exponents}
    store("few_sample_flow", pd.DataFrame(table), facts("python benchmarks/few_sample_flow.py", **about))
    print(exponents)


def exponent(stats: SizeStats) -> dict[str, object]:
    """The power of n with its error and verdicts."""
    fitted = fit_exponent(stats, correction=1.0)
    right, wrong = (judge_claim(fitted, value, precision=0.05) for value in (-1.0, -1.05))
    number = {"exponent": fitted.value, "stderr": fitted.stderr, "p_fit": fitted.p_fit}
    return number | {"verdict on -1": str(right), "verdict on -1.05": str(wrong)}


if __name__ == "__main__":
    main()
