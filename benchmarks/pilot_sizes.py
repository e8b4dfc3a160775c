"""The size of the test and the price of a verdict for several pilots, on normal numbers in place of trials.

    python benchmarks/pilot_sizes.py                    # 10,000 repetitions, an hour
    python benchmarks/pilot_sizes.py --repetitions 500

One metric with a true theory, standard deviation falling as 1/d from `spread` at the smallest size, costs as
d^3, the default rule at a precision of 0.5% with trials in whole batches of four. `pilot` are the trials of
the first stage at each size, `size` and `size_1` how often the theory is rejected at 5% and at 1%, `cost` the
work until the rule is satisfied in trials at the largest size. Stored in results/pilot_sizes.csv.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
import pandas as pd
from common import facts, store
from scipy import special

from simdiff.validation import Rule, fit_limit, sequential_stderr
from simdiff.validation.estimators import size_stats
from simdiff.validation.hypothesis import Hypothesis
from simdiff.validation.sequential import next_trials

SEED = 0
SIZES = ((80, 120, 240, 480), (100, 200, 400))
SPREADS = (0.003, 0.006, 0.012, 0.03)
PILOTS = (12, 8)
"""`min_trials`; the rule's own share of it is run at the larger sizes."""


@dataclasses.dataclass(frozen=True)
class Even(Rule):
    """The same pilot at all sizes."""

    def pilot(self, d: int) -> int:
        """As at the smallest."""
        return self.min_trials


def verdict(rule: Rule, spread: float, rng: np.random.Generator) -> tuple[float, dict[int, int]]:
    """(p-value, trials at each size)."""
    sizes, costs = rule.sizes, {d: float(d) ** 3 for d in rule.sizes}
    draws = {d: spread * sizes[0] / d * rng.standard_normal(rule.max_trials) for d in sizes}
    totals = dict.fromkeys(sizes, 0)
    while True:
        stats = size_stats({d: draws[d][: totals[d]] for d in sizes})
        item = Hypothesis("metric", stats, 1.0, (1.0,) * len(sizes))
        wanted = next_trials([item], rule, costs)
        if wanted == totals:
            break
        totals = wanted
    fit = fit_limit(stats, rule.corrections)
    p_value = 2 * float(special.stdtr(fit.dof, -abs(fit.limit) / sequential_stderr(fit)))
    return p_value, totals


def row(rule: Rule, spread: float, repetitions: int) -> dict[str, object]:
    """Of one rule."""
    rng = np.random.default_rng(SEED)
    found = [verdict(rule, spread, rng) for _ in range(repetitions)]
    p_values = np.array([p for p, _ in found])
    last = rule.sizes[-1]
    costs = [sum(count * (d / last) ** 3 for d, count in totals.items()) for _, totals in found]
    counts = np.mean([list(totals.values()) for _, totals in found], axis=0)
    size = float(np.mean(p_values < 0.05))
    return {
        "sizes": "+".join(map(str, rule.sizes)),
        "pilot": "+".join(str(rule.pilot(d)) for d in rule.sizes),
        "spread": spread,
        "size": size,
        "size_error": float(np.sqrt(size * (1 - size) / repetitions)),
        "size_1": float(np.mean(p_values < 0.01)),
        "cost": float(np.mean(costs)),
        "trials": "+".join(f"{count:.0f}" for count in counts),
    }


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10_000)
    repetitions = parser.parse_args().repetitions
    rows = []
    for sizes in SIZES:
        for kind, least in [(Rule, 12), *((Even, pilot) for pilot in PILOTS)]:
            rule = kind(sizes=sizes, min_trials=least, max_trials=512)
            for spread in SPREADS:
                rows.append(row(rule, spread, repetitions))
                print(rows[-1], flush=True)
    command = f"python benchmarks/pilot_sizes.py --repetitions {repetitions}"
    store("pilot_sizes", pd.DataFrame(rows), facts(command, seed=SEED))


if __name__ == "__main__":
    main()
