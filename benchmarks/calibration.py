"""Are verdicts calibrated, and do they have power? Many seeds of one quick problem.

    python benchmarks/calibration.py [seeds]       # default 200

Each seed is a whole validation at the default precision (0.005) and alpha (0.05), at four sizes, by the
default rule: pilot, sequential trials, extrapolation, a rival for rejections, Holm over the five metrics.
The same trials are then judged against the theory and against the theory scaled by 1.01. Stored:
results/calibration.csv (one row per seed) and results/calibration.json.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from common import facts, store
from scipy import stats

import simdiff
from simdiff.api import make_study
from simdiff.theory import evaluate, load
from simdiff.validation import judge_table
from simdiff.validation.study import InMemoryTrials, Study, collect

PROBLEM = simdiff.DenoisingScoreMatching(
    model=simdiff.models.RandomFeatures(1.0, "tanh"),
    trainer=simdiff.trainers.Ridge(0.1),
    psi_n=2.0,
    m=1,
    t=0.5,
)
SIZES = (32, 48, 96, 192)
ALPHA = 0.05


def scaled(theory, factor: float):
    """The theory with every value multiplied."""
    return lambda problem: {name: factor * value for name, value in evaluate(theory, problem).items()}


def one_seed(seed: int) -> dict[str, object]:
    """One validation against the right theory and, on the same trials, against the wrong one."""
    right = make_study(PROBLEM, None, SIZES, 0.005, ALPHA, seed, 4096, "auto")
    store_ = InMemoryTrials()
    true = judge_table(collect(right, store_), right.rule)
    wrong = Study(right.problem, scaled(load(None, PROBLEM), 1.01), right.sizes, right.rule, seed)
    rows = pd.concat([store_.trials(right.point, d, seed) for d in right.sizes], ignore_index=True)
    false = judge_table(wrong.hypotheses(rows), wrong.rule)
    p_values = {f"p_{row.metric}": row.p_value for row in true.table.itertuples()}
    words = {"verdicts": _words(true), "wrong_verdicts": _words(false)}
    agree = {"agree": true.agree, "wrong_agree": false.agree}
    return {"seed": seed, **agree, **words, "trials": len(rows), **p_values}


def _words(verdict) -> str:
    """What is said of the metrics, other than "agree"."""
    return "; ".join(sorted(set(verdict.table["verdict"]) - {"agree"}))


def main(seeds: int = 200) -> None:
    """Run, summarise, store."""
    start, rows = time.time(), []
    for seed in range(seeds):
        rows.append(one_seed(seed))
        print(rows[-1], f"{time.time() - start:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    rejected = int((table["agree"] == False).sum())  # noqa: E712
    found = int((table["wrong_agree"] == False).sum())  # noqa: E712
    metrics = [name for name in table.columns if name.startswith("p_")]
    below = {name: float((table[name] < ALPHA).mean()) for name in metrics}
    uniform = {name: float(stats.kstest(table[name], "uniform").pvalue) for name in metrics}
    summary = {
        "seeds": seeds,
        "correct theory rejected": rejected,
        "most rejections with probability 0.99 at alpha": int(stats.binom.ppf(0.99, seeds, ALPHA)),
        "correct theory accepted": int((table["agree"] == True).sum()),  # noqa: E712
        "theory * 1.01 rejected": found,
        "theory * 1.01 accepted": int((table["wrong_agree"] == True).sum()),  # noqa: E712
        "power": found / seeds,
        "share of p-values below 0.05, by metric": below,
        "Kolmogorov-Smirnov p-value against uniform, by metric": uniform,
        "mean trials a seed": float(np.mean(table["trials"])),
        "seconds": round(time.time() - start, 1),
    }
    rule = make_study(PROBLEM, None, SIZES, 0.005, ALPHA, 0, 4096, "auto").rule.describe()
    store(
        "calibration",
        table,
        facts("python benchmarks/calibration.py", seeds=seeds, rule=rule, summary=summary),
    )
    print(*(f"{name}: {value}" for name, value in summary.items()), sep="\n")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
