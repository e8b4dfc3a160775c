"""Recovery of a planted direction by linear diffusion models: its curve, and where it begins.

    python benchmarks/spike_recovery.py limits          # those that are not stored yet
    python benchmarks/spike_recovery.py transition
    python benchmarks/spike_recovery.py figure          # from the tables stored

`recovery` is the squared overlap of the sampled law's leading direction with the planted one, whose variance
is `spike` in a bulk at 1. Above the transition trials at SIZES are extrapolated in 1/d and 1/d^2 to the limit
of theory, without ridge and with one, which must not matter to directions. Most of the scatter of recovery is
due to the length of the training samples along the planted direction. `planted_variance` tells it, and its
mean is known exactly at every d, F(spike) / spike, since F is linear here. Its deviation in a trial, times
the slope of recovery that theory expects, is taken from recovery: that changes no mean, whatever the slope,
and halves standard deviations. `wrong` is the same test of the theory of 10% more samples; levels are shared
among the rows (Bonferroni).

At the transition recovery falls as d^(-1/3), and its width is d^(-1/3), too: d^(1/3) recovery is one function
of (spike - transition) d^b at all sizes, and curves of different sizes cross at the transition. Both the
transition and b are fitted (f a cubic, from a start at 1.8 and 1/2) and compared with 1 + sqrt(d/N) and 1/3.
Stored in results/spike_recovery.csv, spike_curves.csv and spike_transition.csv, with a figure.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pandas as pd
from common import RESULTS, facts, store

import simdiff
from simdiff.data import Spiked
from simdiff.theory.linear_chain.planted import recovery, transition
from simdiff.trainers import Ridge
from simdiff.validation import Rule, hypotheses, judge_table
from simdiff.validation.curves import known_curve
from simdiff.validation.scaling import collapse_curves

SIZES, TRIALS, SEED = (80, 128, 208, 336), (8000, 6000, 4000, 2500), 0
"""Of the limits."""

CURVE_SIZES, CURVE_TRIALS = (48, 80, 128, 208), (4000, 2000, 700, 200)
"""Of the curves near the transition."""

CASES = ((1.0, 0.0), (1.0, 0.1))
"""psi_n and ridge of the limits."""

NEAR = np.array([0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15])
"""Spikes at which curves are taken, over that of the transition."""

START, DEGREE = (1.8, 0.5), 3
"""Where the fit of the transition and of the exponent begins, and the degree of f."""

FAR = (1.5, 2.0, 3.0)
"""The same where limits are extrapolated."""

RULE = Rule(
    precision=0.01,
    alpha=0.05 / (len(CASES) * len(FAR)),
    sizes=SIZES,
    extrapolation=(1.0, 2.0),
    max_trials=TRIALS[0],
)


def problem_of(spike: float, psi_n: float, ridge: float = 0.0) -> simdiff.LinearSampling:
    """One model, no divergences."""
    trainer = Ridge(ridge) if ridge else None
    return simdiff.LinearSampling(Spiked(spike), trainer, psi_n=psi_n, samples=0, kl=False)


def trials(problem: simdiff.LinearSampling, sizes: tuple[int, ...], counts: tuple[int, ...]) -> pd.DataFrame:
    """Rows at all sizes."""
    frames = [simdiff.simulate(problem, d=d, trials=n, seed=SEED) for d, n in zip(sizes, counts, strict=True)]
    return pd.concat(frames, ignore_index=True)


def steadied(rows: pd.DataFrame, problem: simdiff.LinearSampling) -> pd.DataFrame:
    """Recovery less what the samples' length along the planted direction makes it deviate by."""
    planted, spike, step = problem.data.planted(), problem.data.spike, 1e-4
    around = np.array([spike - step, spike + step])
    low, high = (recovery(planted._replace(spike=x), problem.psi_n) for x in around)
    sampled = problem.spectral_functions(around).variance[0] / spike
    slope = (high - low) / (sampled[1] - sampled[0])
    off = rows["planted_variance"] - sampled.mean()
    return rows.assign(recovery=rows["recovery"] - slope * off)


def limits(psi_n: float, ridge: float) -> list[dict[str, Any]]:
    """Extrapolated recovery against theory, one row per spike."""
    critical, table = transition(Spiked(9.0).planted(), psi_n), []
    for ratio in FAR:
        problem = problem_of(ratio * critical, psi_n, ridge)
        rows = steadied(trials(problem, SIZES, TRIALS), problem)
        value = simdiff.predict(problem)["recovery"]
        more = simdiff.predict(dataclasses.replace(problem, psi_n=1.1 * psi_n))["recovery"]
        row = {"psi_n": psi_n, "ridge": ridge, "spike": ratio * critical, "theory": value}
        for name, tested in (("verdict", value), ("wrong", more)):
            own = hypotheses(rows, ["recovery"], SIZES, theory={"recovery": tested})
            judged = judge_table(own, RULE).table.iloc[0]
            row |= {"estimate": judged["estimate"], "stderr": judged["stderr"], "p_fit": judged["p_fit"]}
            row[name] = judged["verdict"]
        print(row, flush=True)
        table.append(row)
    return table


def curves(psi_n: float, about: dict[str, Any]) -> pd.DataFrame:
    """d^(1/3) recovery near the transition at all sizes; what is stored is kept."""
    path = RESULTS / "spike_curves.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({"spike": []})
    for spike in np.round(NEAR * transition(Spiked(9.0).planted(), psi_n), 6):
        if not (table["spike"] == spike).any():
            rows = trials(problem_of(spike, psi_n), CURVE_SIZES, CURVE_TRIALS)
            groups = rows.groupby("d")["recovery"]
            scale = groups.mean().index.to_numpy() ** (1 / 3)
            new = {"psi_n": psi_n, "d": groups.mean().index, "spike": spike}
            new |= {"scaled": scale * groups.mean().to_numpy(), "stderr": scale * groups.sem().to_numpy()}
            table = pd.concat([table, pd.DataFrame(new)], ignore_index=True)
            store("spike_curves", table, about, quiet=True)
            print(spike, flush=True)
    return table.sort_values(["d", "spike"])


def located(table: pd.DataFrame, psi_n: float) -> dict[str, Any]:
    """Where curves of d^(1/3) recovery are one function of (spike - transition) d^b."""
    critical = transition(Spiked(9.0).planted(), psi_n)
    curves = [known_curve(d, part["spike"], part["scaled"], part["stderr"]) for d, part in table.groupby("d")]
    found = collapse_curves(curves, START[0], START[1], degree=DEGREE)
    place, power = found.critical, found.exponent
    row = {"psi_n": psi_n, "theory": critical, "located": place.value, "stderr": place.stderr}
    row |= {"pull": (place.value - critical) / place.stderr, "exponent": power.value}
    return row | {
        "exponent_stderr": power.stderr,
        "chi2": found.chi2,
        "dof": found.chi2_dof,
        "p_fit": found.p_fit,
    }


def figure() -> None:
    """Recovery against the spike, and the crossing of scaled curves at N = d."""
    from matplotlib.figure import Figure

    limits_table, curves = (pd.read_csv(RESULTS / f"spike_{name}.csv") for name in ("recovery", "curves"))
    canvas = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = canvas.subplots(1, 2)
    for psi_n, colour in ((1.0, "C0"),):
        planted = Spiked(9.0).planted()
        critical = transition(planted, psi_n)
        dense = np.linspace(1.01, 6.6, 600)
        line = [recovery(planted._replace(spike=x), psi_n) for x in dense]
        left.plot(dense, line, colour, label=f"$N/d$ = {psi_n:g}: from {critical:g} on")
        part = limits_table[limits_table["psi_n"] == psi_n]
        for ridge, marker, size in ((0.1, "s", 8), (0.0, "o", 4)):
            own = part[part["ridge"] == ridge]
            errors, style = 2 * own["stderr"], {"ms": size, "color": colour}
            style["mfc"] = "white" if ridge else colour
            left.errorbar(own["spike"], own["estimate"], errors, fmt=marker, **style)
    left.set(xlabel="planted variance, in a bulk at 1", ylabel="recovery, in the limit", ylim=(-0.03, 1))
    left.set_title("trials, extrapolated; squares: with ridge 0.1", fontsize=10)
    left.legend(frameon=False, fontsize=9, loc="lower right")
    own = curves[curves["psi_n"] == 1.0]
    for (d, part), shade in zip(own.groupby("d"), ("0.75", "0.55", "0.3", "0.0"), strict=True):
        style = {"color": shade, "marker": "o", "ms": 3, "label": f"d = {d:g}"}
        right.errorbar(part["spike"], part["scaled"], 2 * part["stderr"], **style)
    right.axvline(2.0, color="C0", ls="--", lw=1)
    right.set(xlabel="planted variance", ylabel=r"$d^{1/3}$ recovery")
    right.set_title("$N = d$: curves cross at the transition, 2 (dashed)", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    canvas.savefig(RESULTS / "spike_recovery.png", dpi=150)


def main(word: str) -> None:
    """One of the three parts."""
    command = f"python benchmarks/spike_recovery.py {word}"
    sizes, counts = (SIZES, TRIALS) if word == "limits" else (CURVE_SIZES, CURVE_TRIALS)
    about = {"seed": SEED, "sizes": sizes, "trials": counts}
    path = RESULTS / "spike_recovery.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({"psi_n": [], "ridge": []})
    for psi_n, ridge in CASES if word == "limits" else ():
        if not ((table["psi_n"] == psi_n) & (table["ridge"] == ridge)).any():
            table = pd.concat([table, pd.DataFrame(limits(psi_n, ridge))], ignore_index=True)
            store("spike_recovery", table, facts(command, **about), quiet=True)
    if word == "transition":
        row = located(curves(1.0, facts(command, **about)), 1.0)
        store("spike_transition", pd.DataFrame([row]), facts(command, **about))
    if word == "figure":
        figure()


if __name__ == "__main__":
    main(sys.argv[1])
