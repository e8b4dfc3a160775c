"""How verdicts fare where corrections are not those supposed: made-up trials with known limits.

    python benchmarks/calibration_corrections.py [seeds]            # default 200
    python benchmarks/calibration_corrections.py hardest [seeds]    # default 400

Noise normal, Student-3 or log-normal (skewness 1.75), of standard deviation 1% at d = 100 and falling as 1/d;
corrections of 2% at d = 100, as 1/d, d^(-2/3) or log d / d, their sign alternating with the seed. Each seed
is a whole validation at the default sizes, precision and alpha, with sequential trials; the same trials are
then judged against the theory times 1.01 and times 0.99. Once with the default (supposed) corrections, once
with the right ones stated beside a second one. `hardest` is the case where the supposed ones are most wrong,
d^(-2/3), with more seeds and also at nine tenths of the default precision. Stored:
results/calibration_corrections.csv and results/calibration_hardest.csv, each with its .json.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from common import facts, store

from simdiff.validation import Hypothesis, Rule, judge_table, next_trials, size_stats

NOISES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "student-3": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "log-normal": lambda rng, n: (
        (rng.lognormal(0, 0.5, n) - np.exp(1 / 8)) / np.sqrt(np.exp(0.5) - np.exp(0.25))
    ),
}
CORRECTIONS: dict[str, tuple[Callable[[float], float], tuple[float | str, ...]]] = {
    "1/d": (lambda d: 100 / d, (1.0, 2.0)),
    "d^(-2/3)": (lambda d: (100 / d) ** (2 / 3), (2 / 3, 4 / 3)),
    "log d/d": (lambda d: np.log(d) / d * 100 / np.log(100), ("log d/d", 1.0)),
}
SHARE, STD, MOST = 0.02, 0.01, 4096


def judged(values: dict[int, np.ndarray], rule: Rule, factor: float = 1.0) -> str:
    """The verdict on trials whose true limit is 1, against a theory of `factor`."""
    return str(judge_table([hypothesis(values, factor)], rule).table["verdict"][0])


def hypothesis(values: dict[int, np.ndarray], factor: float = 1.0) -> Hypothesis:
    """The trials minus the theory."""
    stats = size_stats({d: v - factor for d, v in values.items()})
    return Hypothesis("x", stats, factor, (factor,) * len(values))


def campaign(noise: str, correction: str, rule: Rule, seed: int) -> dict[int, np.ndarray]:
    """Trials until the rule asks for no more."""
    rng, (law, _) = np.random.default_rng(seed), CORRECTIONS[correction]
    sign = 1 if seed % 2 else -1
    values = {d: np.zeros(0) for d in rule.sizes}
    while True:
        totals = {d: len(v) for d, v in values.items()}
        wanted = next_trials([hypothesis(values)], rule)
        if wanted == totals:
            return values
        for d, count in wanted.items():
            fresh = STD * 100 / d * NOISES[noise](rng, count - totals[d])
            values[d] = np.append(values[d], 1 + sign * SHARE * law(d) + fresh)


def one_case(
    noise: str, correction: str, stated: bool, seeds: int, precision: float = 0.005
) -> dict[str, object]:
    """Shares of verdicts over seeds."""
    stated_ones = CORRECTIONS[correction][1] if stated else None
    rule = Rule(max_trials=MOST, extrapolation=stated_ones, precision=precision)
    right, wrong, trials = [], [], []
    for seed in range(seeds):
        values = campaign(noise, correction, rule, seed)
        trials.append(sum(map(len, values.values())))
        right.append(judged(values, rule))
        wrong += [judged(values, rule, factor) for factor in (1.01, 0.99)]
    found: dict[str, object] = {"noise": noise, "correction": correction}
    found |= {"extrapolation": "stated" if stated else "supposed", "seeds": seeds}
    for name, words in (("right", right), ("one per cent off", wrong)):
        for word in ("agree", "disagree", "not testable", "does not fit", "inconclusive"):
            found[f"{name}: {word}"] = words.count(word) / len(words)
    return found | {"mean trials": float(np.mean(trials))}


def main(seeds: int = 200) -> None:
    """Run, print, store."""
    start, rows = time.time(), []
    for noise, correction, stated in itertools.product(NOISES, CORRECTIONS, (False, True)):
        rows.append(one_case(noise, correction, stated, seeds))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    summary = {
        "most rejections of a right theory": float(table["right: disagree"].max()),
        "most acceptances of a theory 1% off": float(table["one per cent off: agree"].max()),
        "seconds": round(time.time() - start, 1),
    }
    command = "python benchmarks/calibration_corrections.py"
    store(
        "calibration_corrections", table, facts(command, seeds=seeds, rule=Rule().describe(), summary=summary)
    )


def hardest(seeds: int = 400) -> None:
    """Run, print, store."""
    start, rows = time.time(), []
    for precision, noise in itertools.product((0.005, 0.0045), NOISES):
        row = one_case(noise, "d^(-2/3)", False, seeds, precision)
        rows.append({"precision": precision, **row})
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    shares = table.groupby("precision")["one per cent off: agree"].mean()
    summary = {
        "acceptances of a theory 1% off, by precision": {str(k): float(v) for k, v in shares.items()},
        "their standard errors, at most": float(np.sqrt(0.03 * 0.97 / (2 * seeds * len(NOISES)))),
        "seconds": round(time.time() - start, 1),
    }
    command = f"python benchmarks/calibration_corrections.py hardest {seeds}"
    store("calibration_hardest", table, facts(command, seeds=seeds, rule=Rule().describe(), summary=summary))


if __name__ == "__main__":
    words = sys.argv[1:]
    run, words = (hardest, words[1:]) if words[:1] == ["hardest"] else (main, words)
    run(*map(int, words))
