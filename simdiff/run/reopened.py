"""The way back from a folder to a run: problems from points.json or the trials, checked by their digests.

A problem that is made again counts only if it has the digest under which its trials were stored: an edited
class, or one that cannot be made from its description, is told, never compared with trials of another one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from simdiff.errors import InputError
from simdiff.parts.build import RUN_SETTINGS, build_problem
from simdiff.parts.jax_settings import settings_text
from simdiff.problem import Problem
from simdiff.run import record
from simdiff.run.changed_code import CODE, description
from simdiff.run.contents import About, claim_of
from simdiff.run.run import Run
from simdiff.run.several import listed, theory_name
from simdiff.store import RunFolder, commit, versions_text
from simdiff.theory import load
from simdiff.validation import Rule
from simdiff.validation.study import Study


def reopened(path: str, theory: Any) -> Run:
    """The run in the folder `path`; see `simdiff.open`."""
    folder = RunFolder(path, create=False)
    config = record.recorded(path)
    if not config:
        raise InputError("run folder", path, "a run's folder with its config.yaml")
    problems = _problems(folder, config)
    specs = _theories(config) if theory is None else listed(theory)
    studies = _studies(folder, config, problems, specs)
    names = [theory_name(spec, studies[0].problem) for spec in specs]
    about = About(
        title=str(config.get("name") or "simdiff"),
        command=str(config.get("command", "")),
        theory=", ".join(names),
        known=" ".join((config.get("known") or "").split()),
        claim=claim_of(config.get("card")),
        figure=config.get("figure") or {},
        sizes=tuple(config["sizes"]) if config.get("sizes") else None,
        looks=tuple(config.get("looks", ())),
    )
    return Run(studies, folder, about, folder, _tables(folder, studies) if theory is None else {})


def _theories(config: Mapping[str, Any]) -> list[Any]:
    """The theories on record: a name, or several with commas between, or none: the problem's own."""
    found = config.get("theory")
    if isinstance(found, str):
        found = [name for name in found.split(", ") if name]
    return [None if name in ("none", None) else name for name in listed(found or None)]


def _problems(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, Problem]:
    """{point: problem} of the last run.

    Raises:
        InputError: a problem cannot be made, or is another one than that of its trials.
    """
    suffix = "" if config.get("dtype", "auto") == "auto" else f"-{config['dtype']}"
    found = {}
    for point, fields in _descriptions(folder, config).items():
        problem = build_problem(fields)
        if problem.digest() + suffix != point:
            hint = "its code has changed, or plain values do not tell it: sweep it again with the same out="
            raise InputError("run folder", str(folder.path), f"the problem of point {point}", hint)
        found[point] = problem
    return found


def _descriptions(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{point: {"problem": name, **constructor arguments}}: on record, or as trials of older runs have it."""
    if text := folder.read_text(record.POINTS):
        return {entry.pop("point"): entry for entry in json.loads(text)}
    rows = folder.trials()[["point", "problem"]].drop_duplicates("point")
    texts = dict(zip(rows["point"], rows["problem"], strict=True))
    kept = [point for point in _reported(folder) if point in texts] or list(texts)
    kind = config.get("problem", "denoising")
    entries = {point: json.loads(texts[point]) for point in kept}
    return {
        p: {k: v for k, v in e.items() if k not in (CODE, "type")} | {"problem": kind}
        for p, e in entries.items()
    }


def _reported(folder: RunFolder) -> list[str]:
    """The points of the last report, in its order."""
    try:
        return list(dict.fromkeys(folder.read_table("summary")["point"]))
    except InputError:
        return []


def _studies(
    folder: RunFolder, config: Mapping[str, Any], problems: Mapping[str, Problem], specs: list[Any]
) -> tuple[Study, ...]:
    """A study for each point and theory, under the rule on record for the point."""
    rules = _rules(folder, config)
    facts = {"versions": versions_text(), "commit": commit(), "settings": settings_text()}
    studies = []
    for point, problem in problems.items():
        rule = _rule(rules[point])
        told = {**facts, "problem": description(problem)}
        common: dict[str, Any] = {"seed": config.get("seed", 0), "dtype": config.get("dtype", "auto")}
        for spec in specs:
            chosen = None if spec is None and problem.default_theory is None else _loaded(spec, problem)
            name = theory_name(spec, problem) if len(specs) > 1 else ""
            one = Study(problem, chosen, rule.sizes, rule, **common, facts=told, theory_name=name)
            studies.append(one)
    if not studies:
        raise InputError(
            "run folder", str(folder.path), "a run with one point or more", "it has no trials yet"
        )
    return tuple(studies)


def _rules(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """{point: rule}: of those that agree with the configuration the last, else the last of all."""
    shared = ("precision", "alpha", "max_trials", "absolute")
    asked = {name: config[name] for name in shared if name in config}
    entries = sorted(folder.rules(), key=lambda entry: asked.items() <= entry["rule"].items())
    return {point: entry["rule"] for entry in entries for point in entry["points"]}


def _loaded(spec: Any, problem: Problem) -> Any:
    try:
        return load(spec, problem)
    except InputError as error:
        hint = "give it to simdiff.open as theory="
        raise InputError("theory of the run", spec, "one that can be imported here", hint) from error


def _rule(fields: Mapping[str, Any]) -> Rule:
    """The rule of a record; settings that came to be since have their defaults."""
    names = {field.name for field in dataclasses.fields(Rule)}
    kept = {k: float("inf") if v == "inf" else v for k, v in fields.items() if k in names}
    return Rule(**kept | {"sizes": tuple(fields["sizes"])})


def _tables(folder: RunFolder, studies: tuple[Study, ...]) -> dict[str, Any]:
    """The tables of the report, if it is of these points."""
    if set(_reported(folder)) != {study.point for study in studies}:
        return {}
    return {name: folder.read_table(name) for name in ("summary", "finite_sizes")}


def arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """What points.json keeps of a configuration: the problem and its constructor arguments."""
    return {name: value for name, value in config.items() if name == "problem" or name not in RUN_SETTINGS}
