"""KL of sampling without discretisation error against its exact Wishart mean at finite d: no asymptotics.

    python benchmarks/wishart_table.py

d = 16, 64 and 256, N/d = 1.5, 2, 4, 16 and 64, three spectra, with and without a learned bias; 400 trials,
100 at d = 256. `pull` is (mean - exact) / standard error; `slope` is the mean over d/N, 1/4 as N/d grows.
Stored in results/wishart_table.csv.
"""

from __future__ import annotations

import itertools

import pandas as pd
from common import facts, store

import simdiff
from simdiff.data import Gaussian, PowerLaw

SPECTRA = {
    "isotropic": Gaussian(),
    "two levels": Gaussian(([0.25, 4.0], [0.8, 0.2])),
    "power law 1": PowerLaw(1.0),
}
KLS = ("kl_sampled_target", "kl_target_sampled")
SEED = 0


def rows(name: str, psi_n: float, d: int, bias: bool) -> list[dict[str, object]]:
    """One row a divergence."""
    problem = simdiff.LinearSampling(SPECTRA[name], psi_n=psi_n, bias=bias, samples=0)
    trials = 100 if d == 256 else 400
    found = simdiff.simulate(problem, d=d, trials=trials, seed=SEED)
    exact = simdiff.predict(problem.at_size(d), theory="wishart_kl")
    place = {"spectrum": name, "bias": bias, "d": d, "psi_n": psi_n, "trials": trials}
    return [place | judged(metric, found[metric], float(exact[metric])) for metric in KLS]


def judged(metric: str, values: pd.Series, exact: float) -> dict[str, object]:
    """Mean, standard error and pull of one metric."""
    mean, error = float(values.mean()), float(values.sem())
    return {"metric": metric, "exact": exact, "mean": mean, "stderr": error, "pull": (mean - exact) / error}


if __name__ == "__main__":
    cases = itertools.product(SPECTRA, (1.5, 2.0, 4.0, 16.0, 64.0), (16, 64, 256), (False, True))
    table = pd.DataFrame([row for case in cases for row in rows(*case)])
    table["slope"] = table["mean"] * table["psi_n"]
    table["slope_stderr"] = table["stderr"] * table["psi_n"]
    store("wishart_table", table, facts("python benchmarks/wishart_table.py", seed=SEED))
    print(f"pulls: std {table['pull'].std():.2f}, largest {table['pull'].abs().max():.2f} of {len(table)}")
