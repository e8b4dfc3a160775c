"""What a run says: its summary table, the rule of all points, the facts and notes of its report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simdiff.engine import memory_notes
from simdiff.errors import InputError
from simdiff.identity.description import flatten
from simdiff.run.changed_code import changed_problems, theory_notes
from simdiff.store import RunFolder, iso_date, machine, versions
from simdiff.validation import Rule
from simdiff.validation.study import Study, TrialStore

if TYPE_CHECKING:
    import pandas as pd

FIRST = ("theory_name", "time", "metric", "theory", "estimate", "stderr", "p_adjusted", "verdict")
"""Columns of `Run.table` behind the parameters that vary."""

LAST = ("type", "problem", "point")


@dataclasses.dataclass(frozen=True)
class About:
    """What is said of a run beside its numbers.

    title, command: of the report. theory: its name, or names. known: which disagreements are known, and why.
    claim: of the paper that a card follows. figure: settings of figures. sizes: as asked, None where the
    default was. looks: of a run that was asked for more precision after its first verdict, what it was asked
    before.
    """

    title: str = "simdiff"
    command: str = ""
    theory: str = ""
    known: str = ""
    claim: str = ""
    figure: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sizes: tuple[int, ...] | None = None
    looks: tuple[str, ...] = ()


def claim_of(card: Any) -> str:
    """What a paper card says, in one sentence.

    Raises:
        InputError: neither null nor a mapping with paper and claim.
    """
    if card is None:
        return ""
    if not isinstance(card, Mapping) or not {"paper", "claim"} <= {*card}:
        raise InputError("card", card, "null, or a mapping with paper and claim")
    return f"{card['paper']}, as a card has it: {' '.join(str(card['claim']).split())}"


def shared_rule(studies: Sequence[Study], asked: Sequence[int] | None) -> Rule:
    """The rule of all points; its sizes as asked where points were rounded to different ones.

    Where only some of the points have a limit, it is the rule of those.
    """
    limits = [study.rule for study in studies if study.rule.extrapolate]
    rules = limits or [study.rule for study in studies]
    wanted = set(asked or ()) if limits else set()
    if not wanted or all(rule == rules[0] for rule in rules):
        wanted = {d for rule in rules for d in rule.sizes}
    return dataclasses.replace(rules[0], sizes=tuple(sorted(wanted)))


def summary(studies: Sequence[Study], table: pd.DataFrame) -> pd.DataFrame:
    """The verdicts with a column for every parameter of the problems."""
    import pandas as pd

    of_point = {study.point: parameters(study) for study in studies}
    return pd.DataFrame(of_point.values()).merge(table, on="point")


def parameters(study: Study) -> dict[str, Any]:
    """The digest of a point and its parameters, those that are single values."""
    flat = flatten(study.problem.describe())
    kept = {name: value for name, value in flat.items() if isinstance(value, (str, int, float, bool))}
    return {"point": study.point, **kept}


def by_interest(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in the order in which people look at them: what varies, the verdict, the rest, digests."""
    from simdiff.report.plots.columns import RESULTS, varying

    heads = [*varying(table), *(name for name in FIRST if name in table)]
    tails = [name for name in table if name not in heads and name not in LAST]
    tails.sort(key=lambda name: name not in RESULTS)
    return table[[*heads, *tails, *(name for name in LAST if name in table and name not in heads)]]


def stored_rows(store: TrialStore, studies: Iterable[Study]) -> pd.DataFrame:
    """The rows of the studies' sizes and seeds that are in the store, each once."""
    import pandas as pd

    wanted = dict.fromkeys((study.point, d, study.seed) for study in studies for d in study.sizes)
    rows = [frame for key in wanted if len(frame := store.trials(*key))]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"point": [], "d": [], "trial": []})


def notes(studies: Sequence[Study], about: About, folder: RunFolder | None) -> list[str]:
    """What a reader of the results must know."""
    found = sorted({note for study in studies for note in study.problem.notes()})
    if folder is not None:
        found += changed_problems(studies, folder)
        found += theory_notes(folder)
    found += memory_notes()
    if {not study.rule.extrapolate for study in studies} == {True, False}:
        found.append("points whose data have one size are compared with theory at that size (order 0)")
    if len({study.sizes for study in studies if study.rule.extrapolate}) > 1:
        found.append("sizes differ between points so that n, p and multiplicities are whole numbers")
    return [*found, *about.looks]


def facts(studies: Sequence[Study], rows: pd.DataFrame, about: About, told: Sequence[str]) -> dict[str, Any]:
    """Where the numbers come from: command, seed, date, devices, versions, time spent, notes."""
    found: dict[str, Any] = {"command": about.command, "seed": studies[0].seed, "date": iso_date()}
    for name in ("device", "platform", "dtype", "commit"):
        found[name] = ", ".join(sorted({str(v) for v in rows[name].dropna()})) if name in rows else ""
    found["machine"], found["versions"] = machine(), versions()
    trials = rows.drop_duplicates(["point", "d", "trial"])
    found["trials"] = len(trials)
    found["seconds in trials"] = round(float(trials["duration"].sum()), 1) if len(trials) else 0.0
    return found | _diagnostics(studies, rows) | ({"notes": "; ".join(told)} if told else {})


def _diagnostics(studies: Sequence[Study], rows: pd.DataFrame) -> dict[str, str]:
    """What trials recorded beside the metrics that are compared: total, mean and largest value."""
    found = {}
    for metric in dict.fromkeys(m for study in studies for m in study.problem.metrics if not m.compare):
        values = rows[metric.name].dropna() if metric.name in rows else None
        if values is not None and len(values):
            spread = f"{values.sum():.6g} in {len(values)} rows, at most {values.max():.6g} in one"
            found[f"{metric.name} ({metric.meaning})"] = spread
    return found
