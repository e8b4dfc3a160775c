"""What the commands do, once their points are composed: plain dictionaries in, files and text out."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from simdiff import theory
from simdiff.api import make_study
from simdiff.cli import finished
from simdiff.cli.progress import RunProgress, stages
from simdiff.engine import check_platform, spread_over_cores, use_checkpoints, use_devices
from simdiff.errors import InputError, check_integer
from simdiff.functions import activation_names
from simdiff.identity.description import flatten
from simdiff.parts import registry
from simdiff.parts.build import KINDS, build_problem
from simdiff.parts.jax_settings import settings_text
from simdiff.parts.program_cache import use_cache
from simdiff.report.console import console_table
from simdiff.report.figures import check_figures
from simdiff.report.phrases import unfinished
from simdiff.run import record
from simdiff.run.ahead import compile_ahead
from simdiff.run.changed_code import changed_problems, description
from simdiff.run.contents import About, claim_of
from simdiff.run.pilots import Beside
from simdiff.run.planning import PILOT_SECONDS, PILOTS, planned
from simdiff.run.reopened import arguments, reopened
from simdiff.run.run import Run
from simdiff.run.several import check_names, listed, theory_name
from simdiff.store import MARKER, RunFolder, commit, expanded, unpack, versions_text
from simdiff.validation.study import (
    InMemoryTrials,
    Replay,
    Study,
    TrialStore,
    collect,
    raised_by_theory,
    replay,
)


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
    """Simulate what is missing, then write tables, report and figures; a finished run is left as it is."""
    if finished.told(plan.record, plan.points, str(plan.setting("out"))):
        return
    _take_devices(plan)
    studies, folder = prepare(plan)
    done = _simulate(_run(plan, studies.values(), folder))
    _write(done)
    if not done.lacking:
        finished.keep(plan.record, plan.points, folder)


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
    several = len(listed(plan.setting("theory")))
    points = {s.point: {**arguments(plan.points[n // several]), "point": s.point} for n, s in studies.items()}
    record.keep(folder, plan.record, points.values())
    for rule in dict.fromkeys(study.rule for study in studies.values()):
        folder.save_rule(rule.describe(), [study.point for study in studies.values() if study.rule == rule])
    return studies, folder


def simulate(plan: Plan) -> None:
    """Run the trials that are missing at the plan's points; the rest of a run is left to others."""
    _take_devices(plan)
    use_cache(plan.setting("compilation_cache"))
    studies = _studies(plan)
    _simulate(_run(plan, studies.values(), RunFolder(str(plan.setting("out")))))


def _take_devices(plan: Plan) -> None:
    spread_over_cores()
    use_devices(plan.setting("devices"))
    use_checkpoints(plan.base.get("checkpoint"))


def _simulate(run: Run) -> Run:
    """Run the trials that are missing; programs are compiled ahead only for points that lack some."""
    known = [(study, replay(study, run.store)) for study in run.studies]
    lacking = [study for study, found in known if found.lacking]
    if not lacking:
        return run.judged(known)
    found = []
    with RunProgress(list(run.studies)) as progress, compile_ahead(lacking):
        for number, study in enumerate(run.studies):
            found.append((study, Replay(collect(study, run.store, progress.of(number)), {})))
    if run.folder is not None:
        run.folder.compact()
    return run.judged(found)


def report(plan: Plan, *, replace: bool = False) -> None:
    """Write the report from the trials there are; says what is missing.

    Raises:
        InputError: the folder is that of another configuration, unless `replace`.
    """
    folder = RunFolder(str(plan.setting("out")), create=False)
    if not replace:
        record.check_same(plan.record, str(folder.path))
    use_cache(plan.setting("compilation_cache"))
    studies = _studies(plan, here=False)
    check_figures(plan.setting("figure"), list(studies.values()))
    folder.check_writable()
    conclude(plan, studies.values(), folder)


def report_again(folder: str) -> None:
    """Write the report of a run that Python began, from the trials there are.

    Raises:
        InputError: it cannot be opened, see `simdiff.open`.
    """
    run = reopened(folder, None)
    RunFolder(folder, create=False).check_writable()
    _write(dataclasses.replace(run, stored={}))


def export_run(folder: str, archive: str) -> None:
    """Pack a run into a new zip file.

    Raises:
        InputError: no run's folder, or the file exists.
    """
    print(reopened(folder, None).export(archive))


def import_run(archive: str, folder: str | None) -> None:
    """Unpack a run into a new folder; without a name runs/ and that of the file.

    Raises:
        InputError: no archive of a run, or the folder exists.
    """
    print(unpack(archive, folder or Path("runs") / Path(archive).stem))


def conclude(plan: Plan, studies: Collection[Study], folder: RunFolder) -> int:
    """Write tables, report and figures from the trials there are; returns how many points lack some."""
    run = _run(plan, studies, folder)
    _write(run)
    return len(run.lacking)


def predict(plan: Plan) -> None:
    """Print the theory's values at every point."""
    use_cache(plan.setting("compilation_cache"))
    problems = [build_problem(config) for config in plan.points]
    with raised_by_theory(plan.setting("theory"), problems):
        values = theory.evaluate_many(plan.setting("theory"), problems)
    import numpy as np
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for config, problem, found in zip(plan.points, problems, values, strict=True):
        swept = {key: flatten(config).get(key, "") for key in plan.axes}
        for i, t in enumerate(problem.times or [None]):
            time = {} if t is None else {"time": t}
            rows.append({**swept, **time, **{k: float(np.atleast_1d(v)[i]) for k, v in found.items()}})
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda x: f"{x:.6g}"))


def plan(plan: Plan) -> None:
    """Print what the run would take; nothing is written."""
    use_cache(plan.setting("compilation_cache"))
    studies = list(_studies(plan).values())
    found = planned(studies, _trials_there(plan), PILOTS, PILOT_SECONDS)
    print(found.table.drop(columns="point").to_string(index=False, float_format=lambda x: f"{x:.3g}"))
    print(found)


def _trials_there(plan: Plan) -> TrialStore:
    """The trials in the run's folder, if there is one; further ones stay in memory."""
    path = expanded(str(plan.setting("out")))
    found = (path / MARKER).exists()
    return Beside(RunFolder(path, create=False)) if found else InMemoryTrials()


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
    print("paper cards (experiment=papers/ID/FIGURE)\n    simdiff list papers")


def _studies(plan: Plan, *, here: bool = True) -> dict[int, Study]:
    """{number of a point: its study}, checked; points that are the same problem appear once.

    Several theories have a study each for every point, and numbers count those.
    """
    for name in ("out", "name"):
        if plan.setting(name) in (None, ""):
            raise InputError(name, plan.setting(name), "a text that is not empty")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(plan.setting("out"))):
        raise InputError("out", plan.setting("out"), "a folder of this machine", "it looks like an address")
    if plan.setting("devices") is not None:
        check_integer("devices", plan.setting("devices"), least=1)
    facts = {"versions": versions_text(), "commit": commit(), "settings": settings_text()}
    theories = listed(plan.setting("theory"))
    if len(theories) > 1 and plan.launcher["type"] != "basic":
        raise InputError(
            "theory", theories, "one theory where points run in jobs", "launcher=basic takes several"
        )
    studies: dict[tuple[str, str], tuple[int, Study]] = {}
    for number, (config, one) in enumerate(itertools.product(plan.points, theories)):
        problem = build_problem(config)
        name = theory_name(one, problem) if len(theories) > 1 else ""
        study = make_study(
            problem,
            one,
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
            theory_name=name,
        )
        studies.setdefault((study.point, name), (number, study))
    check_names([theory_name(one, problem) for one in theories])
    return dict(studies.values())


def _run(plan: Plan, studies: Collection[Study], folder: RunFolder) -> Run:
    """The run of a plan's points."""
    asked, problem = plan.setting("sizes"), next(iter(studies)).problem
    about = About(
        title=str(plan.setting("name")),
        command=plan.command,
        theory=", ".join(theory_name(one, problem) for one in listed(plan.setting("theory"))),
        known=_known(plan),
        claim=claim_of(plan.base.get("card")),
        figure=plan.setting("figure"),
        sizes=None if asked is None else tuple(asked),
    )
    return Run(tuple(studies), folder, about, folder)


def _write(run: Run) -> None:
    """Tables, figures and report of all points together; the verdicts on the console."""
    from simdiff.run.writing import write

    with stages() as told:
        path = write(run, told)
    width = shutil.get_terminal_size((100, 24)).columns
    print(console_table(run.summary, width, color=sys.stdout.isatty(), known=run.about.known))
    if run.lacking:
        print(f"{unfinished(run.summary, run.lacking)} The command that began the run goes on with it.")
    print(f"Report: {path}")


def _known(plan: Plan) -> str:
    """What the experiment's author knows of its disagreements."""
    known = plan.setting("known")
    if known is not None and not isinstance(known, str):
        raise InputError("known", known, "a text, or null")
    return " ".join((known or "").split())
