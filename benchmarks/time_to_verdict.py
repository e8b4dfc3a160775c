"""Seconds until `validate` decides at a fixed precision, and how trials were spread over sizes.

    python benchmarks/time_to_verdict.py                      # three problems at 0.5% and 0.1%
    python benchmarks/time_to_verdict.py ridge 0.005          # one problem, some precisions

Three ways to the same precision (half width of each limit's 95% confidence interval, alpha 5%):

equal      sizes 100, 200, 400 with as many trials at each: the pilot's standard errors say how many; on CPU
           one device with all threads
optimal    the same sizes, trials where they are cheapest (`simdiff.validation.allocation`); on CPU a device a
           core (`simdiff.engine.cores`)
apart      the same with sizes farther apart, 80, 160, 512

Each way compiles its programs before the clock starts and has the test error exactly given the weights.
Where the first precision's own trials say that a way would take more than `LONGEST` seconds at a later one,
it is not run there: `measured` is False, and trials and seconds are those of the earlier run times the
squared ratio of half widths that is missing. `gigaflops` is the cost that the allocation counts. Control
variates were tried and left out: twenty of them (means of |x|^2, |z|^2, tr W^4, fluctuations of U and V about
their known means) explain 0.37 to 0.56 of the variance of the score error, which mostly decides how many
trials are needed, and three of them 0.2 to 0.45 (d = 48 and 64, 192 trials). Stored in
results/time_to_verdict.csv.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import jax
import pandas as pd
from common import facts, store

import simdiff
from simdiff import engine
from simdiff.api import make_study
from simdiff.validation import Hypothesis, fit_limit, half_width, judge_table
from simdiff.validation.study import InMemoryTrials, Study, collect

NEAR, APART = (100, 200, 400), (80, 160, 512)
"""Sizes far apart make a limit cheap. A fit with 1/d and 1/d^2 takes E_inf = sum w_d E(d), w from Lagrange's
formula at 1/d = 0. Trials of standard deviation ~ 1/d and cost ~ d^3 are best spread in proportion to
|w_d| d^(-5/2), and then cost (sum |w_d| sqrt d)^2 in all: at these sizes this is 0.38 of that at `NEAR`,
while the neglected term in 1/d^3 shifts the limit, in proportion to 1/(d_1 d_2 d_3), by 1.2 times as much."""


MOST, PRECISIONS = 32768, (0.005, 0.001)
WAYS, LONGEST = ("equal", "optimal", "apart"), 200.0
_AIM = 0.9


def problems() -> dict[str, simdiff.problem.Problem]:
    """Denoising at m = 4, linear sampling, gradient flow on a linear manifold."""
    model, flow = simdiff.models.RandomFeatures(1.0), simdiff.trainers.GradientFlow((10.0,), ridge=1e-3)
    denoising = simdiff.DenoisingScoreMatching
    return {
        "ridge": denoising(model=model, trainer=simdiff.trainers.Ridge(1e-2), psi_n=2.0, m=4, t=0.1),
        "linear": simdiff.LinearSampling(
            simdiff.data.PowerLaw(0.5), simdiff.trainers.Ridge(0.3), psi_n=2.0, samples=0
        ),
        "flow": denoising(
            data=simdiff.data.LinearManifold(0.5), model=model, trainer=flow, psi_n=2.0, m=4, t=0.2
        ),
    }


def rows_of(study: Study, totals: Mapping[int, int], kept: InMemoryTrials) -> pd.DataFrame:
    """Trials up to these totals; what is kept is not run again."""
    for d, count in totals.items():
        done = len(kept.trials(study.point, d, study.seed)["trial"].unique())
        if done < count:
            for frame in engine.run_trials(study.problem, d, study.seed, range(done, count), study.dtype):
                kept.append(frame)
    return pd.concat([kept.trials(study.point, d, study.seed) for d in study.sizes], ignore_index=True)


def equally(study: Study) -> list[Hypothesis]:
    """As many trials at every size as every metric's precision needs."""
    kept, count = InMemoryTrials(), study.rule.min_trials
    while True:
        items = study.hypotheses(rows_of(study, dict.fromkeys(study.sizes, count), kept))
        fits = [(fit_limit(item.stats), study.rule.target(item.reference)) for item in items]
        missing = max(half_width(fit) / asked for fit, asked in fits)
        if missing <= 1 or count >= MOST:
            return items
        count = min(MOST, max(count + 4, math.ceil(count * (missing / _AIM) ** 2)))


def run(problem: simdiff.problem.Problem, way: str, precision: float) -> dict[str, Any]:
    """One way to a verdict: its study, hypotheses and seconds."""
    engine.use_devices(1 if way == "equal" and jax.local_devices()[0].platform == "cpu" else None)
    sizes = engine.whole_sizes(problem, APART if way == "apart" else NEAR)
    study = make_study(problem, None, sizes, precision, 0.05, 0, MOST, "auto")
    for d in study.sizes:
        engine.prepare(problem, d, 0)
    start = time.perf_counter()
    items = equally(study) if way == "equal" else collect(study, InMemoryTrials())
    return {"study": study, "items": items, "seconds": time.perf_counter() - start}


def row_of(found: dict[str, Any], way: str, precision: float, longer: float = 1.0) -> dict[str, object]:
    """What is stored of a run, or of one with `longer` times its trials that was not made."""
    study, items = found["study"], found["items"]
    totals = {int(d): round(longer * n) for d, n in zip(study.sizes, items[0].stats.totals, strict=True)}
    return {
        "precision": precision,
        "way": way,
        "measured": longer == 1.0,
        "seconds": longer * found["seconds"],
        "gigaflops": sum(study.problem.cost(d) * n for d, n in totals.items()) / 1e9,
        "agree": str(judge_table(items, study.rule).agree) if longer == 1.0 else "",
        "trials": " ".join(f"{d}:{n}" for d, n in totals.items()),
    }


def missing(found: dict[str, Any], precision: float) -> float:
    """How many times its trials a run would need for this precision."""
    rule = dataclasses.replace(found["study"].rule, precision=precision)
    short = [half_width(fit_limit(item.stats)) / rule.target(item.reference) for item in found["items"]]
    return max(short) ** 2


def verdicts(problem: simdiff.problem.Problem, way: str, precisions: tuple[float, ...]) -> list[dict]:
    """A row a precision; see `LONGEST`."""
    first = run(problem, way, precisions[0])
    rows = [row_of(first, way, precisions[0])]
    for precision in precisions[1:]:
        longer = missing(first, precision)
        if longer * first["seconds"] > LONGEST:
            rows.append(row_of(first, way, precision, longer))
        else:
            rows.append(row_of(run(problem, way, precision), way, precision))
    return rows


def main(names: tuple[str, ...] = (), precisions: tuple[float, ...] = PRECISIONS) -> None:
    """Measure and store (parts are printed only)."""
    rows = []
    for name, problem in problems().items():
        if names and name not in names:
            continue
        for way in WAYS:
            found = verdicts(problem, way, precisions)
            rows += [{"problem": name} | row for row in found]
            print(*rows[-len(found) :], sep="\n", flush=True)
    table = pd.DataFrame(rows).sort_values(["problem", "precision"], kind="stable", ascending=[True, False])
    if names or precisions != PRECISIONS:
        print(table.to_string(index=False))
    else:
        store("time_to_verdict", table, facts("python benchmarks/time_to_verdict.py", most_trials=MOST))


if __name__ == "__main__":
    words = sys.argv[1:]
    chosen = tuple(word for word in words if word in problems())
    main(chosen, tuple(float(word) for word in words if word not in chosen) or PRECISIONS)
