"""Tables as a real run would leave them, from a made-up double-descent law and a fixed seed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

METRICS = ("test", "train", "score", "memorization", "objective")
SIZES = (100, 200, 400)


def law(metric: str, psi_p: float, m: float, psi_n: float = 2.0) -> float:
    """A number of the right shape: a peak of the test error at psi_p = psi_n m, a falling train error."""
    i = 0.0 if math.isinf(m) else 1.0 / m
    peak = 0.0 if i == 0 else 2.5 * i**0.5 / (0.25 + math.log(psi_p / (psi_n * m)) ** 2)
    train = 0.75 / (1 + psi_p / psi_n) + 0.004
    test = 0.45 + peak + 0.4 / (1 + psi_p)
    table = {"test": test, "train": train * (1 - 0.6 * i), "score": test / 0.181 - 1.7}
    return table.get(
        metric, {"memorization": 0.5 * (test + train), "objective": train + 0.01}.get(metric, 0.0)
    )


def rows_of(psi_p, m, metric, rng, shift=0.0, verdict="agree"):
    theory = law(metric, psi_p, m)
    stderr = 0.0025 * theory
    estimate = theory * (1 + shift) + rng.normal() * stderr
    pull = (estimate - theory) / stderr
    p = math.erfc(abs(pull) / math.sqrt(2))
    point = f"{hash((psi_p, m)) & 0xFFFFFFFFFFFFFFFF:016x}"
    shared = {"point": point, "psi_n": 2, "m": "inf" if math.isinf(m) else int(m), "t": 0.1}
    shared |= {
        "data": "Gaussian",
        "model": "RandomFeatures",
        "model.psi_p": psi_p,
        "model.activation": "tanh",
    }
    shared |= {"trainer": "Ridge", "trainer.ridge": 1e-3}
    row = {"metric": metric, "theory": theory, "estimate": estimate, "stderr": stderr, "p_value": p}
    row |= {"p_adjusted": min(1.0, 20 * p), "verdict": verdict, "reason": "", "order": 1, "chi2": 1.1}
    return shared | row | {"trials": "16+12+8", "sizes": "100+200+400", "bad": 0}


def summary(psi_p=(0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 20.0), ms=(1, 4, math.inf), metrics=METRICS, seed=0):
    """Summary with one disagreeing comparison, one inconclusive, and one point without a finite estimate."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame([rows_of(p, m, k, rng) for m in ms for p in psi_p for k in metrics])
    wrong, vague, lost = 2 * len(metrics), 4 * len(metrics) + 1, len(table) - 1
    table.loc[wrong, ["estimate", "verdict", "p_adjusted"]] = [table.theory[wrong] * 1.12, "disagree", 1e-9]
    table.loc[vague, ["stderr", "verdict"]] = [0.04 * table.theory[vague], "inconclusive"]
    table.loc[vague, "reason"] = "standard error 4% of the value, asked 0.5%"
    table.loc[lost, ["estimate", "stderr", "p_value", "p_adjusted"]] = math.nan
    table.loc[lost, ["verdict", "reason", "bad"]] = ["inconclusive", "no finite trial at d = 400", 3]
    return table


def extrapolation(table: pd.DataFrame, seed=1):
    """Means at every size: the estimate plus a 1/d term, with standard errors."""
    rng = np.random.default_rng(seed)
    rows = []
    for _, r in table.iterrows():
        for d, trials in zip(SIZES, (16, 12, 8), strict=True):
            stderr = 0.6 * r["stderr"] * math.sqrt(d / 100)
            mean = r["estimate"] + 1.5 * r["theory"] / d + rng.normal() * stderr
            row = {"point": r["point"], "metric": r["metric"], "d": d, "mean": mean, "stderr": stderr}
            rows.append(row | {"trials": trials, "theory": r["theory"]})
    return pd.DataFrame(rows)


def lines(ms=(1, 4, math.inf), metrics=METRICS):
    """Theory on a dense grid."""
    grid = np.geomspace(0.25, 25, 121)
    rows = [(p, m, k, law(k, p, m)) for m in ms for p in grid for k in metrics]
    return pd.DataFrame(rows, columns=["model.psi_p", "m", "metric", "theory"])


def grid(ms=(1, math.inf), metrics=("test", "memorization"), side=40):
    """Theory on a grid of (psi_n, psi_p)."""
    axis = np.geomspace(0.1, 50, side)
    cells = [(n, p, m, k, law(k, p, m, n)) for m in ms for n in axis for p in axis for k in metrics]
    return pd.DataFrame(cells, columns=["psi_n", "model.psi_p", "m", "metric", "theory"])
