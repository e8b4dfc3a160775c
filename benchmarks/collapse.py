"""When the exact score memorizes: excess entropy and collapse with n from 10^3 to 4 10^5 along alpha = 1/2.

    python benchmarks/collapse.py

Two classes at +-(1, ..., 1) of variance 1, n = exp(d / 2), SETS data sets of TRAJECTORIES trajectories of
the reverse SDE each. The excess entropy at six times around the collapse time t_C is judged against

    exact     the law of n independent energies at that d, without extrapolation
    rounded   max(0, log n - i) averaged over the information i, label included, extrapolated in 1/d
    label     max(0, alpha - I - I(class; x_t)/d)     } at each size, and
    limit     max(0, alpha - I), the published curve  } extrapolated, d^-1/2 and 1/d

and against the exact one with alpha 5% off, which says what would have been seen. `half` is the time at
which half of the trajectories end on the point that they are nearest to, with a jackknife error over data
sets, and the exact one. Stored in results/collapse.* (means at every size and time) and
results/collapse_verdicts.*, with the figure results/collapse.png.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.theory.empirical_score.limits import collapse_time, entropy_density
from simdiff.validation import Rule, hypotheses, judge_table

ALPHA, TRAJECTORIES, SEED = 0.5, 16, 0
SETS = {14: 128, 18: 64, 22: 16, 26: 8}
SIZES = tuple(SETS)
DATA = simdiff.data.GaussianMixture(1.0)
T_C = collapse_time(DATA, ALPHA)
TIMES = tuple(T_C * share for share in (0.6, 0.85, 1.0, 1.25, 1.8, 3.0))
PROBLEM = simdiff.EmpiricalScore(DATA, alpha=ALPHA, times=TIMES, trajectories=TRAJECTORIES, fresh=False)
EXACT = "empirical_score"
METRICS = ("excess_entropy", "collapsed", "nearest_training")


def trials() -> pd.DataFrame:
    """Every data set of every size."""
    frames = []
    for d, count in SETS.items():
        start = time.time()
        frames += list(simdiff.engine.run_trials(PROBLEM, d, SEED, range(count), "mixed"))
        print(d, count, round(time.time() - start), flush=True)
    return pd.concat(frames, ignore_index=True)


def prediction(theory: str, d: int | None, off: float, metric: str = "excess_entropy") -> np.ndarray:
    """A metric as a theory has it, alpha off by a share: the exact one then to first order."""
    found = np.asarray(predictions(theory, d, 0.0 if theory == EXACT else off)[metric])
    if theory == EXACT and off and d is not None:
        found = found + prediction("collapse_rounded", d, off) - prediction("collapse_rounded", d, 0.0)
    return found


@functools.cache
def predictions(theory: str, d: int | None, off: float) -> dict[str, np.ndarray]:
    """All metrics."""
    problem = dataclasses.replace(PROBLEM, alpha=ALPHA * (1 + off))
    return simdiff.predict(problem, theory, d=d)


def verdict(
    table: pd.DataFrame, theory: str, sizes: tuple[int, ...], extrapolation: object, off: float
) -> dict:
    """What the data say of a theory at these sizes; alpha is off by that share in the theory."""
    at = {d: {"excess_entropy": prediction(theory, d, off)} for d in sizes}
    if len(sizes) == 1:
        rule = Rule(precision=0.02, absolute=0.01, sizes=sizes, extrapolate=False, min_trials=4)
        nominal = at[sizes[0]]
    else:
        rule = Rule(precision=0.02, absolute=0.01, sizes=sizes, extrapolation=extrapolation, min_trials=4)
        nominal = {"excess_entropy": prediction(theory, None, off)}
    items = hypotheses(table, ["excess_entropy"], sizes, theory=nominal, theory_at=at, times=TIMES)
    found = judge_table(items, rule).table
    counts = found["verdict"].value_counts().to_dict()
    word = (
        "disagree" if "disagree" in counts else "agree" if counts.get("agree") == len(found) else "undecided"
    )
    stated = "one size" if len(sizes) == 1 else str(extrapolation)
    row = {"theory": theory, "alpha_off": off, "sizes": "+".join(map(str, sizes)), "corrections": stated}
    row |= {"verdict": word, "times": len(found), "rejected": counts.get("disagree", 0)}
    row |= {"does_not_fit": counts.get("does not fit", 0), "least_p": found["p_adjusted"].min()}
    return row | {"least_p_fit": found["p_fit"].min()}


def half_time(means: np.ndarray) -> float:
    """Where `collapsed` passes 1/2, linear in t between recorded times."""
    return float(np.interp(-0.5, -means, TIMES))


def half_times(table: pd.DataFrame) -> pd.DataFrame:
    """For each size: measured, with its jackknife error, and exact."""
    rows = []
    for d, part in table.groupby("d"):
        values = part.pivot(index="trial", columns="time", values="collapsed").to_numpy()
        left_out = (values.sum(0) - values) / (len(values) - 1)
        each = np.array([half_time(mean) for mean in left_out])
        error = math.sqrt((len(each) - 1) * each.var())
        exact = half_time(prediction("empirical_score", int(d), 0.0, "collapsed"))
        rows.append({"d": int(d), "half": half_time(values.mean(0)), "stderr": error, "exact": exact})
    return pd.DataFrame(rows)


def main() -> None:
    """Run, judge, draw, store."""
    table = trials()
    grouped = table.groupby(["d", "time"])
    means = grouped[list(METRICS)].mean().join(grouped[list(METRICS)].sem().add_suffix("_stderr"))
    means = means.join(grouped.size().rename("data_sets")).reset_index()
    for name in ("empirical_score", "collapse_limit", "collapse_label", "collapse_rounded"):
        for d in SIZES:
            here = means["d"] == d
            means.loc[here, name] = prediction(name, d, 0.0)
    cases: list[tuple] = [("empirical_score", SIZES, (), off) for off in (0.0, 0.02, 0.05)]
    cases += [("collapse_rounded", SIZES, (1.0,), 0.0), ("collapse_rounded", SIZES, (1.0, 2.0), 0.0)]
    for name in ("collapse_limit", "collapse_label"):
        cases += [(name, (d,), None, 0.0) for d in SIZES]
        cases += [(name, SIZES, (0.5, 1.0), 0.0), (name, SIZES, (1.0,), 0.0), (name, SIZES, (1.0, 2.0), 0.0)]
    verdicts = pd.DataFrame([verdict(table, *case) for case in cases])
    halves = half_times(table)
    about = {"seed": SEED, "alpha": ALPHA, "t_C": T_C, "half": halves.to_dict("records")}
    about |= {"points": {d: PROBLEM.count(d) for d in SIZES}, "trajectories": TRAJECTORIES}
    draw(means)
    store("collapse", means, facts("python benchmarks/collapse.py", **about))
    store("collapse_verdicts", verdicts, facts("python benchmarks/collapse.py", **about))
    print(halves)


def draw(means: pd.DataFrame) -> None:
    """Excess entropy over alpha against t / t_C: trials, the exact law, and the published curve."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = canvas.subplots()
    t = np.geomspace(TIMES[0], TIMES[-1], 200)
    axes.plot(t / T_C, [entropy_density(DATA, ALPHA, x) / ALPHA for x in t], "k--", label=r"$d \to \infty$")
    for color, (d, part) in enumerate(means.groupby("d")):
        axes.plot(part["time"] / T_C, part["empirical_score"] / ALPHA, color=f"C{color}", linewidth=1)
        size = f"$d = {d}$, $n = {PROBLEM.count(int(d)):,}$"
        bars = part["excess_entropy"] / ALPHA, part["excess_entropy_stderr"] / ALPHA
        axes.errorbar(part["time"] / T_C, *bars, fmt="o", color=f"C{color}", markersize=3, label=size)
    axes.set(xscale="log", xlabel=r"$t / t_C$", ylabel=r"excess entropy / $\alpha$")
    axes.legend(frameon=False, fontsize="small")
    canvas.savefig(RESULTS / "collapse.png", dpi=160)


if __name__ == "__main__":
    main()
