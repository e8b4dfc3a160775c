"""The theory of mixtures of Gaussians and its Gaussian twin, judged on the same extrapolated trials.

The rule is fixed before the run: trials at four sizes, more of them until every limit is known to the
precision or `max_trials` are spent, corrections of 1/d whose fit is tested. A metric meets the criterion
where the limit is off by at most `within`, or by at most two standard errors that are themselves below
`within`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from common import facts, store

import simdiff

RULE: dict[str, Any] = {
    "sizes": (48, 80, 112, 160),
    "precision": 0.005,
    "alpha": 0.05,
    "seed": 0,
    "max_trials": 768,
    "extrapolation": [1],
}
KEPT = ["metric", "theory", "estimate", "stderr", "p_adjusted", "verdict", "p_fit", "trials"]


def gaussian_twin(problem: Any) -> dict[str, Any]:
    """What Gaussian theory says of data with this covariance: of each class what it says of all."""
    values, weights = problem.data.spectrum()
    twin = dataclasses.replace(problem, data=simdiff.data.Gaussian((values.tolist(), weights.tolist())))
    known = dict(simdiff.predict(twin))
    return {m.name: known["test" if m.name.startswith("test_class") else m.name] for m in problem.metrics}


def judged(columns: Mapping[str, Any], problem: Any, within: float) -> pd.DataFrame:
    """One row per metric: theory, limit, verdict, and the Gaussian twin's deviation and verdict."""
    table = simdiff.validate(problem, theory=["mixed_gaussians", gaussian_twin], **RULE).table
    mine = table["theory_name"] == "mixed_gaussians"
    own, twin = table[mine][KEPT].reset_index(drop=True), table[~mine].reset_index(drop=True)
    error = own["stderr"] / own["theory"]
    own.insert(4, "deviation", own["estimate"] / own["theory"] - 1.0)
    own["met"] = (own["deviation"].abs() <= within) | (
        (own["deviation"].abs() <= 2 * error) & (error < within)
    )
    own["deviation_gaussian"] = twin["estimate"] / twin["theory"] - 1.0
    own["verdict_gaussian"] = twin["verdict"]
    return pd.concat([pd.DataFrame([dict(columns)] * len(own)), own], axis=1)


def run_points(name: str, points: Iterable[tuple[dict[str, Any], Any]], within: float) -> None:
    """Judge all points, say how long each took, and store results/<name>.* when all are done."""
    parts = []
    for number, (columns, problem) in enumerate(points):
        start = time.time()
        parts.append(judged({"number": number, **columns}, problem, within))
        print(parts[-1].to_string(), f"{time.time() - start:.0f} s", sep="\n", flush=True)
    about = facts(f"python benchmarks/{name}.py", rule=RULE, within=within)
    store(name, pd.concat(parts), about)
