"""When the exact score memorizes: excess entropy and collapse with n from 10^2 to 10^6 along alpha = 1/2.

    python benchmarks/collapse.py            # half an hour on one core
    python benchmarks/collapse.py --exact    # the exact law up to d = 224 beside the limit, a minute

Two classes at +-(1, ..., 1) of variance 1, n = exp(d / 2), SETS data sets of TRAJECTORIES trajectories of
the reverse SDE each. The excess entropy at six times around the collapse time t_C is judged against

    exact     the law of n independent energies at that d, without extrapolation
    rounded   max(0, log n - i) averaged over the information i, label included, extrapolated in 1/d
    label     max(0, alpha - I - I(class; x_t)/d)     } at each size, and
    limit     max(0, alpha - I), the published curve  } extrapolated, d^-1/2 and 1/d

and against each with alpha 2% and 5% off, which says what would have been seen. The collapse time, `half`, is
when half of the trajectories end on the point that they are nearest to, with a jackknife error over data
sets: it is judged against the exact one at each size, and extrapolated against t_C. Stored in
results/collapse.* (means at every size and time) and results/collapse_verdicts.*, with the figure
results/collapse.png; the exact law of larger sizes, which no simulation reaches, in results/collapse_exact.*.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.theory.empirical_score.classes import classes_of
from simdiff.theory.empirical_score.energies import collapse
from simdiff.theory.empirical_score.limits import collapse_time, entropy_density
from simdiff.validation import Rule, hypotheses, judge_table

ALPHA, TRAJECTORIES, SEED = 0.5, 16, 0
SETS = {10: 1024, 14: 1024, 18: 512, 22: 256, 26: 128, 28: 64}
SIZES = tuple(SETS)
DATA = simdiff.data.GaussianMixture(1.0)
T_C = collapse_time(DATA, ALPHA)
TIMES = tuple(T_C * share for share in (0.6, 0.85, 1.0, 1.25, 1.8, 3.0))
PROBLEM = simdiff.EmpiricalScore(DATA, alpha=ALPHA, times=TIMES, trajectories=TRAJECTORIES, fresh=False)
EXACT = "empirical_score"
ENTROPY = "excess_entropy"
METRICS = ("excess_entropy", "collapsed", "nearest_training")


def trials() -> pd.DataFrame:
    """Every data set of every size."""
    frames = []
    for d, count in SETS.items():
        start = time.time()
        frames += list(simdiff.engine.run_trials(PROBLEM, d, SEED, range(count), "mixed"))
        print(d, count, round(time.time() - start), flush=True)
    return pd.concat(frames, ignore_index=True)


def prediction(theory: str, d: int | None, off: float, metric: str = ENTROPY) -> np.ndarray:
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


def entropy_verdict(
    table: pd.DataFrame, theory: str, sizes: tuple[int, ...], extrapolation: object, off: float
) -> dict:
    """What the data say of a theory of the excess entropy; alpha is off by that share in the theory."""
    at = {d: {ENTROPY: prediction(theory, d, off)} for d in sizes}
    nominal = {ENTROPY: prediction(theory, None if len(sizes) > 1 else sizes[0], off)}
    found = judged(table, ENTROPY, nominal, at, extrapolation, TIMES)
    return row(found, ENTROPY, theory, sizes, extrapolation, off)


def half_verdict(
    halves: pd.DataFrame, theory: str, sizes: tuple[int, ...], extrapolation: object, off: float
) -> dict:
    """The same of the collapse time; off by that share itself."""
    limit = T_C * (1 + off)
    at = {d: {"half": exact_half(d) * (1 + off) if theory == EXACT else limit} for d in sizes}
    nominal = {"half": limit} if len(sizes) > 1 else at[sizes[0]]
    return row(
        judged(halves, "half", nominal, at, extrapolation, None), "half", theory, sizes, extrapolation, off
    )


def judged(
    rows: pd.DataFrame, metric: str, nominal: dict, at: dict, extrapolation: object, times: object
) -> pd.DataFrame:
    """Verdicts of one metric, at one size or extrapolated."""
    many = {"extrapolation": extrapolation} if len(at) > 1 else {"extrapolate": False}
    rule = Rule(precision=0.02, absolute=0.01, sizes=tuple(at), min_trials=4, **many)
    items = hypotheses(rows, [metric], tuple(at), theory=nominal, theory_at=at, times=times)
    return judge_table(items, rule).table


def row(
    found: pd.DataFrame, metric: str, theory: str, sizes: tuple[int, ...], extrapolation: object, off: float
) -> dict:
    """The verdicts at all times as one."""
    counts = found["verdict"].value_counts().to_dict()
    word = (
        "disagree" if "disagree" in counts else "agree" if counts.get("agree") == len(found) else "undecided"
    )
    stated = "one size" if len(sizes) == 1 else str(extrapolation)
    about = {"metric": metric, "theory": theory, "off": off, "sizes": "+".join(map(str, sizes))}
    about |= {"corrections": stated, "verdict": word, "verdicts": len(found)}
    about |= {"agree": counts.get("agree", 0), "rejected": counts.get("disagree", 0)}
    about |= {"does_not_fit": counts.get("does not fit", 0), "least_p": found["p_adjusted"].min()}
    return about | {"least_p_fit": found["p_fit"].min()}


def half_time(means: np.ndarray) -> float:
    """Where `collapsed` passes 1/2, linear in t between recorded times."""
    return float(np.interp(-0.5, -means, TIMES))


def half_values(table: pd.DataFrame) -> pd.DataFrame:
    """The jackknife's pseudo-values of each data set: their mean is the half time, their spread its error."""
    frames = []
    for d, part in table.groupby("d"):
        values = part.pivot(index="trial", columns="time", values="collapsed").to_numpy()
        count = len(values)
        left_out = np.array([half_time(mean) for mean in (values.sum(0) - values) / (count - 1)])
        pseudo = count * half_time(values.mean(0)) - (count - 1) * left_out
        frames.append(pd.DataFrame({"d": d, "trial": range(count), "status": "ok", "half": pseudo}))
    return pd.concat(frames, ignore_index=True)


@functools.cache
def exact_half(d: int) -> float:
    """The half time of the law of n independent energies."""
    return half_time(prediction(EXACT, d, 0.0, "collapsed"))


def cases() -> list[tuple]:
    """(theory, sizes, corrections, off) of the excess entropy."""
    found: list[tuple] = [(EXACT, SIZES, (), off) for off in (0.0, 0.02, 0.05)]
    found += [("collapse_rounded", SIZES, (1.0, 2.0), off) for off in (0.0, 0.02, 0.05)]
    found += [("collapse_rounded", SIZES, (1.0,), 0.0)]
    for name in ("collapse_limit", "collapse_label"):
        found += [(name, (d,), None, 0.0) for d in SIZES]
        found += [(name, SIZES, (0.5, 1.0), off) for off in (0.0, 0.02, 0.05)]
        found += [(name, SIZES, corrections, 0.0) for corrections in ((1.0,), (1.0, 2.0))]
    return found


def half_cases() -> list[tuple]:
    """The same of the collapse time."""
    found: list[tuple] = [(EXACT, SIZES, (), off) for off in (0.0, 0.02, 0.05)]
    found += [("collapse_limit", (d,), None, 0.0) for d in SIZES]
    return found + [("collapse_limit", SIZES, (0.5, 1.0), off) for off in (0.0, 0.1, 0.2)]


def exact() -> None:
    """The exact law minus the curve of the limit, at sizes beyond what is simulated."""
    found = []
    for d in (28, 56, 112, 224):
        parts = [collapse(classes_of(DATA, d), d, ALPHA * d, t) for t in TIMES]
        half = half_time(np.array([part.collapsed for part in parts]))
        for t, part in zip(TIMES, parts, strict=True):
            limit = entropy_density(DATA, ALPHA, t)
            about = {"d": d, "time": t, "exact": part.excess_entropy, "limit": limit, "half": half}
            found.append(about | {"difference": part.excess_entropy - limit})
    print(table := pd.DataFrame(found))
    store("collapse_exact", table, facts("python benchmarks/collapse.py --exact", alpha=ALPHA, t_C=T_C))


def main() -> None:
    """Run, judge, draw, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", action="store_true", help="the exact law of larger sizes only")
    if parser.parse_args().exact:
        return exact()
    table = trials()
    grouped = table.groupby(["d", "time"])
    means = grouped[list(METRICS)].mean().join(grouped[list(METRICS)].sem().add_suffix("_stderr"))
    means = means.join(grouped.size().rename("data_sets")).reset_index()
    for name in ("empirical_score", "collapse_limit", "collapse_label", "collapse_rounded"):
        for d in SIZES:
            here = means["d"] == d
            means.loc[here, name] = prediction(name, d, 0.0)
    halves = half_values(table)
    verdicts = [entropy_verdict(table, *case) for case in cases()] + [
        half_verdict(halves, *case) for case in half_cases()
    ]
    each = halves.groupby("d")["half"].agg(["mean", "sem"]).reset_index()
    each["exact"] = [exact_half(d) for d in each["d"]]
    about = {"seed": SEED, "alpha": ALPHA, "t_C": T_C, "half": each.to_dict("records")}
    about |= {"points": {d: PROBLEM.count(d) for d in SIZES}, "trajectories": TRAJECTORIES}
    draw(means)
    store("collapse", means, facts("python benchmarks/collapse.py", **about))
    store("collapse_verdicts", pd.DataFrame(verdicts), facts("python benchmarks/collapse.py", **about))
    print(each)


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
