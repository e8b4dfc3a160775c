"""Tables of theory against extrapolated simulation: many points under one rule, kept in a run folder.

The rule is fixed before any trial; trials are kept, so a command that was interrupted goes on where it was.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from common import RESULTS, facts, store

from simdiff.api import make_study
from simdiff.identity.description import flatten
from simdiff.problem import Problem
from simdiff.store import RunFolder, commit, versions_text
from simdiff.validation import judge_table
from simdiff.validation.study import Study, collect


def run_table(
    name: str,
    problems: Sequence[Problem],
    settings: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    within: float,
    chosen: Sequence[int] = (),
) -> None:
    """Run points where trials are missing, judge them, and store results/<name>.* when all were chosen.

    `settings`: the rule's arguments, one for all points or one a point (they may differ in their sizes).
    `within`: relative deviation that meets the table's criterion; see `met`. `chosen`: first and last
    number (last excluded) of the points to run; empty for all of them.
    """
    first, last = chosen or (0, len(problems))
    folder = RunFolder(f"runs/{name}")
    rules = [settings] * len(problems) if isinstance(settings, Mapping) else list(settings)
    pairs = list(zip(problems, rules, strict=True))[first:last]
    made = [make_study(problem, None, dtype="auto", **rule) for problem, rule in pairs]
    for rule in dict.fromkeys(study.rule for study in made):
        folder.save_rule(rule.describe(), [study.point for study in made if study.rule == rule])
    items: list[Any] = []
    parameters = []
    for number, study in enumerate(made, first):
        start = time.time()
        items += collect(_with_facts(study), folder)
        print(f"point {number}: {time.time() - start:.0f} s", flush=True)
        flat = flatten(study.problem.describe())
        scalars = {k: v for k, v in flat.items() if isinstance(v, (str, int, float, bool))}
        parameters.append({"number": number, "point": study.point, **scalars})
    table = pd.DataFrame(parameters).merge(judge_table(items, made[0].rule).table, on="point")
    table["deviation"] = table["estimate"] / table["theory"] - 1
    table["pull"] = (table["estimate"] - table["theory"]) / table["stderr"]
    table["met"] = met(table, within)
    shown = ["number", *(["time"] if "time" in table else [])]
    shown += ["metric", "theory", "estimate", "stderr", "deviation", "pull", "verdict", "met"]
    print(table[shown].to_string())
    print(f"criterion met in {table['met'].sum()} of {len(table)}, std of pulls {table['pull'].std():.3f}")
    if (first, last) == (0, len(problems)):
        rule_text = made[0].rule.describe()
        about = facts(f"python benchmarks/{name}.py", rule=rule_text, seed=made[0].seed)
        store(name, table.drop(columns="point"), about)
        print(f"stored in {RESULTS}")


def met(table: pd.DataFrame, within: float) -> pd.Series:
    """Off by at most `within` or two standard errors, and the standard error below `within` (or 1e-4).

    Values below 1e-8 are zero: train errors vanish exponentially where p > n m, and theory has rounding.
    """
    off, scale = (table["estimate"] - table["theory"]).abs(), table["theory"].abs()
    close = (off <= within * scale) | (off <= 2 * table["stderr"]) | (off <= 1e-8)
    return close & ((table["stderr"] <= within * scale) | (table["stderr"] <= 1e-4))


def _with_facts(study: Study) -> Study:
    """The study with versions, commit and description on every row that it stores."""
    text = json.dumps(study.problem.describe(), sort_keys=True)
    row_facts = {"versions": versions_text(), "commit": commit(), "problem": text}
    return dataclasses.replace(study, facts=row_facts)
