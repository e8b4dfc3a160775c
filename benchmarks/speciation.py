"""When the classes of a backward trajectory part: clones at d = 64 to 4,096 against the exact law.

    python benchmarks/speciation.py

Two classes at +-(1, ..., 1) of variance 1, the score of the population, the reverse SDE. At every
t = (1/2) log d + s, s from -0.8 to 2, the probability that two clones that share the trajectory until t end
in the same class, over TRIALS trials of TRAJECTORIES each, against E[p^2 + (1 - p)^2]. In `summary`, for each
d: p-values of Hotelling's test over all times (trajectories correlate them) of the theory, and of the theory
at t -+ 0.05; in `curves_coincide` chi2 of the curves of all sizes, as functions of s, about their common
mean. Stored in results/speciation.*, and the figure in results/speciation.png.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from scipy import stats

import simdiff

SIZES, TRIALS, TRAJECTORIES, SEED = (64, 256, 1024, 4096), 48, 256, 0
SHIFTS = np.linspace(-0.8, 2.0, 8)


def problem_at(d: int, late: float = 0.0) -> simdiff.EmpiricalScore:
    """Recorded at (1/2) log d + SHIFTS."""
    times = tuple((0.5 * math.log(d) + SHIFTS + late).tolist())
    data = simdiff.data.GaussianMixture(1.0)
    return simdiff.EmpiricalScore(data, alpha=math.inf, times=times, trajectories=TRAJECTORIES)


def hotelling(values: np.ndarray, theory: np.ndarray) -> float:
    """p-value of Hotelling's test that the mean over trials (rows) is the theory."""
    trials, times = values.shape
    off = values.mean(0) - theory
    t2 = trials * off @ np.linalg.solve(np.cov(values.T), off)
    return float(stats.f.sf(t2 * (trials - times) / (times * (trials - 1)), times, trials - times))


def coincide(samples: list[np.ndarray]) -> dict[str, float]:
    """chi2 of the curves of all sizes about their common mean, with the covariance of each one's points.

    Covariances of N trials overrate chi2 by (N - 1) / (N - T - 2), which is taken out.
    """
    inverses = [np.linalg.inv(np.cov(values.T) / len(values)) for values in samples]
    means = [values.mean(0) for values in samples]
    common = np.linalg.solve(sum(inverses), sum(v @ m for v, m in zip(inverses, means, strict=True)))
    chi2 = sum(float((m - common) @ v @ (m - common)) for v, m in zip(inverses, means, strict=True))
    chi2 *= (TRIALS - SHIFTS.size - 2) / (TRIALS - 1)
    dof = (len(samples) - 1) * SHIFTS.size
    return {"chi2": chi2, "dof": dof, "p": float(stats.chi2.sf(chi2, dof))}


def main() -> None:
    """Run, compare, draw, store."""
    rows, summary, curves, samples = [], [], {}, {}
    for d in SIZES:
        problem = problem_at(d)
        frame = simdiff.simulate(problem, d=d, trials=TRIALS, seed=SEED)
        values = frame.pivot(index="trial", columns="time", values="clone_agreement").to_numpy()
        theory = {s: simdiff.predict(problem_at(d, s), d=d)["clone_agreement"] for s in (0.0, -0.05, 0.05)}
        mean, error = values.mean(0), values.std(0, ddof=1) / math.sqrt(TRIALS)
        curves[d], samples[d] = (mean, error), values
        p = {s: hotelling(values, curve) for s, curve in theory.items()}
        summary.append({"d": d, "p": p[0.0], "p_early": p[-0.05], "p_late": p[0.05]})
        columns = {"shift": SHIFTS, "t": problem.times, "agreement": mean, "stderr": error}
        columns |= {"theory": theory[0.0], "z": (mean - theory[0.0]) / error}
        rows.append(pd.DataFrame({"d": d} | columns))
        print(summary[-1], flush=True)
    collapse = coincide(list(samples.values()))
    draw(curves)
    about = {"seed": SEED, "trials": TRIALS, "trajectories": TRAJECTORIES, "sizes": SIZES}
    about |= {"problem": dataclasses.asdict(problem_at(64)), "summary": summary, "curves_coincide": collapse}
    store("speciation", pd.concat(rows), facts("python benchmarks/speciation.py", **about))
    print(collapse)


def draw(curves: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
    """The curves over t - (1/2) log d."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(4.2, 3.0), layout="constrained")
    axes = canvas.subplots()
    s = np.linspace(SHIFTS[0] - 0.2, SHIFTS[-1] + 0.2, 60)
    fine = dataclasses.replace(problem_at(64), times=tuple(0.5 * math.log(64) + s))
    axes.plot(s, simdiff.predict(fine, d=64)["clone_agreement"], color="0.3", label="exact, any $d$")
    for (d, (mean, error)), marker in zip(curves.items(), "os^D", strict=True):
        axes.errorbar(SHIFTS, mean, error, fmt=marker, markersize=4, capsize=2, label=f"$d = {d:,}$")
    axes.set(xlabel=r"$t - \frac{1}{2} \log d$", ylabel="agreement of clones")
    axes.legend(frameon=False)
    canvas.savefig(RESULTS / "speciation.png", dpi=160)


if __name__ == "__main__":
    main()
