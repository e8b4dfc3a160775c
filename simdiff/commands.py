"""What the commands do, once their points are composed: plain dictionaries in, files and text out."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simdiff import theory
from simdiff.collect import Study, collect, replay
from simdiff.config import PARTS, PROBLEMS, build_problem
from simdiff.engine import use_devices
from simdiff.errors import InputError
from simdiff.figures import check_figure, complexity_table, draw_all
from simdiff.functions import activation_names
from simdiff.problem import flatten
from simdiff.progress import RunProgress, compile_ahead
from simdiff.report import build_report, console_table
from simdiff.store import RunFolder, commit, iso_date, machine, versions, versions_text
from simdiff.validation import Hypothesis, Rule, Verdict, extrapolation_table, judge_table
from simdiff.verbs import make_study


@dataclasses.dataclass(frozen=True)
class Plan:
    """A composed command: the words typed, the base configuration, and one configuration a point."""

    command: str
    base: dict[str, Any]
    axes: dict[str, list[str]]
    points: list[dict[str, Any]]

    def setting(self, name: str) -> Any:
        """A setting that all points share."""
        return self.base[name]


def run(plan: Plan) -> None:
    """Simulate what is missing, then write tables, report and figures."""
    use_devices(plan.setting("devices"))
    studies = _studies(plan)
    folder = RunFolder(str(plan.setting("out")))
    folder.trials()  # a damaged file shows now, not after an hour
    folder.save_config(json.dumps({"command": plan.command, "axes": plan.axes, **plan.base}, indent=1))
    for rule in dict.fromkeys(study.rule for study in studies):
        folder.save_rule(rule.describe(), [study.point for study in studies if study.rule == rule])
    items: list[Hypothesis] = []
    with RunProgress(studies) as progress, compile_ahead(studies):
        for number, study in enumerate(studies):
            items += collect(study, folder, progress.of(number))
    _write(plan, studies, items, folder)


def report(plan: Plan) -> None:
    """Write the report from the trials there are; says what is missing."""
    folder = RunFolder(str(plan.setting("out")), create=False)
    studies = _studies(plan)
    folder.check_writable()
    _write(plan, studies, [item for study in studies for item in replay(study, folder)], folder)


def predict(plan: Plan) -> None:
    """Print the theory's values at every point."""
    problems = [build_problem(config) for config in plan.points]
    values = theory.evaluate_many(plan.setting("theory"), problems)
    rows: list[dict[str, Any]] = []
    for config, problem, found in zip(plan.points, problems, values, strict=True):
        swept = {key: flatten(config).get(key, "") for key in plan.axes}
        for i, t in enumerate(problem.times or [None]):
            time = {} if t is None else {"time": t}
            rows.append({**swept, **time, **{k: float(np.atleast_1d(v)[i]) for k, v in found.items()}})
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda x: f"{x:.6g}"))


def list_all(groups: Mapping[str, Sequence[str]], experiments: Mapping[str, str]) -> None:
    """Name everything that can be chosen."""
    sections = {
        "problems (problem=)": [*PROBLEMS, "package.module:Class"],
        **{f"{group} ({group}=)": list(groups[group]) for group in PARTS},
        "activations (model.activation=)": [*activation_names(), "package.module:function"],
        "theories (theory=)": [*theory.names(), "package.module:name"],
    }
    for title, names in sections.items():
        print(f"{title}\n    {'  '.join(names)}")
    print("experiments (experiment=)")
    width = max(map(len, experiments), default=0)
    for name, note in experiments.items():
        print(f"    {name:<{width}}  {note}")


def _studies(plan: Plan) -> list[Study]:
    """Every point's study, checked; points that are the same problem appear once."""
    for name in ("out", "name"):
        if plan.setting(name) in (None, ""):
            raise InputError(name, plan.setting(name), "a text that is not empty")
    facts = {"versions": versions_text(), "commit": commit()}
    studies: dict[str, Study] = {}
    for config in plan.points:
        problem = build_problem(config)
        study = make_study(
            problem,
            config["theory"],
            config["sizes"],
            config["precision"],
            config["alpha"],
            config["seed"],
            config["max_trials"],
            config["dtype"],
            {**facts, "problem": json.dumps(problem.describe(), sort_keys=True)},
        )
        studies[study.point] = study
    found = list(studies.values())
    check_figure(plan.setting("figure"), found)
    return found


def _write(plan: Plan, studies: Sequence[Study], items: Sequence[Hypothesis], folder: RunFolder) -> None:
    """Tables, figures and report of all points together."""
    rule = _shared_rule(plan, studies)
    summary = _summary(studies, judge_table(items, rule))
    sizes = extrapolation_table(items)
    folder.write_table("summary", summary)
    folder.write_table("finite_sizes", sizes)
    complexity = complexity_table(plan.base, plan.points)
    if complexity is not None:
        folder.write_table("sample_complexity", complexity)
    figures = draw_all(plan.base, plan.points, studies, summary, sizes, folder, complexity)
    facts = _provenance(plan, studies, folder)
    stated = rule.describe() | {"seed": studies[0].seed}
    title = str(plan.setting("name"))
    text = build_report(
        summary, sizes, stated, facts, figures, title=title, folder=folder.path, complexity=complexity
    )
    folder.write_text("report.md", text)
    width = shutil.get_terminal_size((100, 24)).columns
    print(console_table(summary, width, color=sys.stdout.isatty()))
    print(f"Report: {folder.path / 'report.md'}")


def _shared_rule(plan: Plan, studies: Sequence[Study]) -> Rule:
    """The rule of all points; its sizes as asked where points were nudged to different ones.

    Where only some of the points have a limit, it is the rule of those.
    """
    limits = [study.rule for study in studies if study.rule.extrapolate]
    rules = limits or [study.rule for study in studies]
    asked = plan.setting("sizes") if limits else None
    if asked is None or all(rule == rules[0] for rule in rules):
        asked = {d for rule in rules for d in rule.sizes}
    return dataclasses.replace(rules[0], sizes=tuple(sorted(set(asked))))


def stored_rows(folder: RunFolder, study: Study) -> pd.DataFrame:
    """The rows of a study's sizes and seed that are in the folder."""
    rows = [folder.trials(study.point, d, study.seed) for d in study.sizes]
    return pd.concat(rows, ignore_index=True)


def _summary(studies: Sequence[Study], verdict: Verdict) -> pd.DataFrame:
    """The verdicts with a column for every parameter of the problems."""
    parameters = [
        {"point": study.point, **{k: v for k, v in flatten(study.problem.describe()).items() if _scalar(v)}}
        for study in studies
    ]
    return pd.DataFrame(parameters).merge(verdict.table, on="point")


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))


def _provenance(plan: Plan, studies: Sequence[Study], folder: RunFolder) -> dict[str, Any]:
    rows = pd.concat([stored_rows(folder, study) for study in studies], ignore_index=True)
    notes = sorted({note for study in studies for note in study.problem.notes()})
    single = {not study.rule.extrapolate for study in studies}
    if single == {True, False}:
        notes.append("points whose data have one size are compared with theory at that size (order 0)")
    if len({study.sizes for study in studies if study.rule.extrapolate}) > 1:
        notes.append("sizes differ between points so that n, p and multiplicities are whole numbers")
    facts: dict[str, Any] = {"command": plan.command, "seed": studies[0].seed, "date": iso_date()}
    for name in ("device", "platform", "dtype", "commit"):
        facts[name] = ", ".join(sorted({str(v) for v in rows[name].dropna()})) if len(rows) else ""
    facts["machine"], facts["versions"] = machine(), versions()
    facts["trials"] = int(rows.drop_duplicates(["point", "d", "seed", "trial"]).shape[0])
    facts["seconds in trials"] = round(
        float(rows.drop_duplicates(["point", "d", "trial"])["duration"].sum()), 1
    )
    facts |= _diagnostics(studies, rows)
    return facts | ({"notes": "; ".join(notes)} if notes else {})


def _diagnostics(studies: Sequence[Study], rows: pd.DataFrame) -> dict[str, str]:
    """What trials recorded beside the metrics that are compared: total, mean and largest value."""
    found = {}
    for metric in dict.fromkeys(m for study in studies for m in study.problem.metrics if not m.compare):
        values = rows[metric.name].dropna() if metric.name in rows else pd.Series(dtype=float)
        if len(values):
            spread = f"{values.sum():.6g} in {len(values)} rows, at most {values.max():.6g} in one"
            found[f"{metric.name} ({metric.meaning})"] = spread
    return found
