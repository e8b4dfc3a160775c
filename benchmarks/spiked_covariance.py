"""Verdicts on a textbook result: top eigenvalue and overlap of a spiked covariance.

    python benchmarks/spiked_covariance.py

The problem and the theory are docs/examples/spiked_covariance.py, at gamma = 1, with the spike below, at
and above the transition at 2, TRIALS trials at each of SIZES. The same trials are judged once with the
corrections that are known (eigenvalue: powers of d^(-2/3) at the edge, 1/d above; overlap: 1/d below and
above, d^(-1/3) at the transition), with 1/d alone, and with the default, 1/d and 1/d^2 supposed. `wrong`
is the verdict on a theory that is off by 2% of the eigenvalue, by 0.05 in the overlap. Stored in
results/spiked_covariance.*.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
from common import facts, store

import simdiff
from simdiff.validation import Rule, hypotheses, judge_table

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "examples"))
from spiked_covariance import SpikedCovariance, theory

SIZES, TRIALS, SEED = (32, 128, 512, 2048), 512, 0
SPIKES = {"below": 1.5, "at": 2.0, "above": 3.0}
KNOWN = {
    ("below", "top"): (2 / 3, 4 / 3),
    ("at", "top"): (2 / 3, 4 / 3),
    ("above", "top"): (1.0, 2.0),
    ("below", "overlap"): (1.0, 4 / 3),
    ("at", "overlap"): (1 / 3, 2 / 3),
    ("above", "overlap"): (1.0, 2.0),
}


def judged(rows: pd.DataFrame, metric: str, value: float, extrapolation: Any) -> dict[str, Any]:
    """The verdict on one limit."""
    rule = Rule(precision=0.02, absolute=0.03, sizes=SIZES, extrapolation=extrapolation, max_trials=TRIALS)
    row = judge_table(hypotheses(rows, [metric], SIZES, theory={metric: value}), rule).table.iloc[0]
    return {name: row[name] for name in ("corrections", "estimate", "stderr", "p_value", "p_fit", "verdict")}


def main() -> None:
    """Run, judge, store."""
    table = []
    for where, spike in SPIKES.items():
        problem = SpikedCovariance(spike=spike)
        frames = [simdiff.simulate(problem, d=d, trials=TRIALS, seed=SEED) for d in SIZES]
        rows = pd.concat(frames, ignore_index=True)
        for metric, value in theory(problem).items():
            known = KNOWN[where, metric]
            for kind, extrapolation in (("known", known), ("1/d alone", (1.0,)), ("supposed", None)):
                off = 0.02 * value if metric == "top" else 0.05
                row = {"spike": spike, "transition": where, "metric": metric, "theory": value, "rule": kind}
                row |= judged(rows, metric, value, extrapolation)
                row["wrong"] = judged(rows, metric, value + off, extrapolation)["verdict"]
                table.append(row)
                print(row, flush=True)
    about = {"seed": SEED, "trials": TRIALS, "sizes": SIZES, "gamma": 1.0}
    store("spiked_covariance", pd.DataFrame(table), facts("python benchmarks/spiked_covariance.py", **about))


if __name__ == "__main__":
    main()
