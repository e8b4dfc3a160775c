"""What the commands do, once their points are composed: plain dictionaries in, files and text out."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from simdiff import theory
from simdiff.api import make_study
from simdiff.cli.changed_code import changed_problems, description, theory_notes
from simdiff.cli.progress import RunProgress, compile_ahead
from simdiff.cli.recorded import check_same, differences
from simdiff.engine import check_platform, memory_notes, spread_over_cores, use_devices
from simdiff.engine.program_cache import use_cache
from simdiff.errors import InputError, check_integer
from simdiff.functions import activation_names
from simdiff.parts import registry
from simdiff.parts.build import KINDS, build_problem
from simdiff.parts.jax_settings import settings_text
from simdiff.problem import flatten
from simdiff.report.figures import check_figures, draw_all, make_tables
from simdiff.report.figures.base import Material
from simdiff.report.phrases import unfinished
from simdiff.report.text import build_report, console_table
from simdiff.store import RunFolder, commit, iso_date, machine, versions, versions_text
from simdiff.validation import Hypothesis, Rule, Verdict, extrapolation_table, judge_table
from simdiff.validation.study import Study, collect, raised_by_theory, replay


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

    @property
    def record(self) -> dict[str, Any]:
        """What the run's folder keeps of it."""
        return {"command": self.command, "axes": self.axes, **self.base}

    def named(self, name: str) -> Plan:
        """The same under another name, in the folder of that name."""
        own = {"name": name, "out": f"runs/{name}"}
        points = [{**point, **own} for point in self.points]
        return dataclasses.replace(self, base={**self.base, **own}, points=points)

    @property
    def launcher(self) -> Mapping[str, Any]:
        """The entry `launcher`; what null stands for is the basic one."""
        return self.base.get("launcher") or {"type": "basic"}

    def only(self, numbers: Sequence[int]) -> Plan:
        """The same with a part of the points."""
        return dataclasses.replace(self, points=[self.points[number] for number in numbers])


def settle() -> None:
    """Decide what devices JAX sees, before anything is computed.

    Raises:
        InputError: it sees none.
    """
    spread_over_cores()
    check_platform()


def run(plan: Plan) -> None:
    """Simulate what is missing, then write tables, report and figures."""
    _take_devices(plan)
    studies, folder = prepare(plan)
    _write(plan, studies.values(), _simulate(studies.values(), folder), folder)


def prepare(plan: Plan, *, here: bool = True) -> tuple[dict[int, Study], RunFolder]:
    """All that comes before the first trial: checks, then the run's folder with configuration and rules.

    Args:
        plan: the command.
        here: whether trials will run on this machine; if so they must fit into its memory.

    Returns:
        ({number of a point: its study}, folder).

    Raises:
        InputError: before anything is written.
    """
    use_cache(plan.setting("compilation_cache"))
    studies = _studies(plan, here=here)
    check_figures(plan.setting("figure"), list(studies.values()))
    folder = RunFolder(str(plan.setting("out")))
    for line in changed_problems(studies.values(), folder):  # a damaged file shows now, not after an hour
        print(line, file=sys.stderr)
    if differences(plan.record, str(folder.path)):
        folder.set_report_aside()
    folder.save_config(json.dumps(plan.record, indent=1))
    for rule in dict.fromkeys(study.rule for study in studies.values()):
        folder.save_rule(rule.describe(), [study.point for study in studies.values() if study.rule == rule])
    return studies, folder


def simulate(plan: Plan) -> None:
    """Run the trials that are missing at the plan's points; the rest of a run is left to others."""
    _take_devices(plan)
    use_cache(plan.setting("compilation_cache"))
    studies = _studies(plan)
    _simulate(studies.values(), RunFolder(str(plan.setting("out"))))


def _take_devices(plan: Plan) -> None:
    spread_over_cores()
    use_devices(plan.setting("devices"))


def _simulate(studies: Collection[Study], folder: RunFolder) -> list[Hypothesis]:
    items: list[Hypothesis] = []
    with RunProgress(list(studies)) as progress, compile_ahead(list(studies)):
        for number, study in enumerate(studies):
            items += collect(study, folder, progress.of(number))
    folder.compact()
    return items


def report(plan: Plan, *, replace: bool = False) -> None:
    """Write the report from the trials there are; says what is missing.

    Raises:
        InputError: the folder is that of another configuration, unless `replace`.
    """
    folder = RunFolder(str(plan.setting("out")), create=False)
    if not replace:
        check_same(plan.record, str(folder.path))
    use_cache(plan.setting("compilation_cache"))
    studies = _studies(plan, here=False)
    check_figures(plan.setting("figure"), list(studies.values()))
    folder.check_writable()
    conclude(plan, studies.values(), folder)


def conclude(plan: Plan, studies: Collection[Study], folder: RunFolder) -> int:
    """Write tables, report and figures from the trials there are; returns how many points lack some."""
    replays = {study.point: replay(study, folder) for study in studies}
    lacking = {point: found.lacking for point, found in replays.items() if found.lacking}
    _write(plan, studies, [item for found in replays.values() for item in found.items], folder, lacking)
    return len(lacking)


def predict(plan: Plan) -> None:
    """Print the theory's values at every point."""
    use_cache(plan.setting("compilation_cache"))
    problems = [build_problem(config) for config in plan.points]
    with raised_by_theory(plan.setting("theory"), problems):
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
        "problems (problem=)": [*registry.parts("problem"), "package.module:Class"],
        **{f"{group} ({group}=)": list(groups[group]) for group in (*KINDS, "launcher")},
        "activations (model.activation=)": [*activation_names(), "package.module:function"],
        "theories (theory=)": [*theory.names(), "package.module:name"],
    }
    for title, names in sections.items():
        print(f"{title}\n    {'  '.join(names)}")
    print("experiments (experiment=)")
    width = max(map(len, experiments), default=0)
    for name, note in experiments.items():
        print(f"    {name:<{width}}  {note}")


def _studies(plan: Plan, *, here: bool = True) -> dict[int, Study]:
    """{number of a point: its study}, checked; points that are the same problem appear once."""
    for name in ("out", "name"):
        if plan.setting(name) in (None, ""):
            raise InputError(name, plan.setting(name), "a text that is not empty")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(plan.setting("out"))):
        raise InputError("out", plan.setting("out"), "a folder of this machine", "it looks like an address")
    if plan.setting("devices") is not None:
        check_integer("devices", plan.setting("devices"), least=1)
    facts = {"versions": versions_text(), "commit": commit(), "settings": settings_text()}
    studies: dict[str, tuple[int, Study]] = {}
    for number, config in enumerate(plan.points):
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
            {**facts, "problem": description(problem)},
            here=here,
            extrapolation=config["extrapolation"],
            absolute=config["absolute"],
        )
        studies.setdefault(study.point, (number, study))
    return dict(studies.values())


def _write(
    plan: Plan,
    studies: Collection[Study],
    items: Sequence[Hypothesis],
    folder: RunFolder,
    lacking: Mapping[str, Mapping[int, int]] = MappingProxyType({}),
) -> None:
    """Tables, figures and report of all points together; `lacking`: {point: {d: trials still to run}}."""
    studies = list(studies)
    rule = _shared_rule(plan, studies)
    summary = _summary(studies, judge_table(items, rule))
    sizes = extrapolation_table(items)
    folder.write_table("summary", summary)
    folder.write_table("finite_sizes", sizes)
    material = Material(plan.setting("figure"), studies, summary, sizes)
    tables = make_tables(material)
    for name, table in tables.items():
        folder.write_table(name, table)
    figures = draw_all(dataclasses.replace(material, tables=tables), folder)
    facts = _provenance(plan, studies, folder)
    stated = rule.describe() | {"seed": studies[0].seed}
    title = str(plan.setting("name"))
    text = build_report(
        summary,
        sizes,
        stated,
        facts,
        figures,
        title=title,
        folder=folder.path,
        complexity=tables.get("sample_complexity"),
        lacking=lacking,
        known=_known(plan),
    )
    folder.write_text("report.md", text)
    width = shutil.get_terminal_size((100, 24)).columns
    print(console_table(summary, width, color=sys.stdout.isatty(), known=_known(plan)))
    if lacking:
        print(f"{unfinished(summary, lacking)} The command that began the run goes on with it.")
    print(f"Report: {folder.path / 'report.md'}")


def _known(plan: Plan) -> str:
    """What the experiment's author knows of its disagreements."""
    known = plan.setting("known")
    if known is not None and not isinstance(known, str):
        raise InputError("known", known, "a text, or null")
    return " ".join((known or "").split())


def _shared_rule(plan: Plan, studies: Sequence[Study]) -> Rule:
    """The rule of all points; its sizes as asked where points were rounded to different ones.

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
    notes += changed_problems(studies, folder)
    theory_name = plan.setting("theory") or studies[0].problem.default_theory
    notes += theory_notes(studies[0], str(theory_name), folder)
    notes += memory_notes()
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
