"""What a run's folder records of the command that made it, so that no report takes the place of another's.

The record is config.yaml; points.json has every point's problem as constructor arguments, so that the run can
be opened again. A run or report with a configuration of its own is compared with what is recorded.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from simdiff.errors import InputError
from simdiff.parts.build import RUN_SETTINGS
from simdiff.store import RunFolder

POINTS = "points.json"

_ELSEWHERE = {
    *("command", "out", "name", "launcher", "devices", "compilation_cache", "figure", "experiment", "sweep"),
    *("looks", "checkpoint"),
}
"""Entries that change no number of a report: where things run and lie, and what is drawn."""


def default_name(config: Mapping[str, Any]) -> str:
    """A name for a run that has none: its problem, and digits of all that its numbers depend on."""
    text = json.dumps(_numbers(config), sort_keys=True)
    problem = re.sub(r"\W+", "_", str(config["problem"]).rpartition(":")[2])
    return f"{problem}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def recorded(folder: str) -> dict[str, Any]:
    """The record of a run; {} if there is none.

    Raises:
        InputError: the folder is no run's, or its config.yaml was written by something else.
    """
    text = RunFolder(folder, create=False).read_text("config.yaml")
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise InputError(f"{folder}/config.yaml", str(error), "the configuration of a run") from error
    return found if isinstance(found, dict) else {}


def differences(config: Mapping[str, Any], folder: str) -> list[str]:
    """Entries in which a configuration differs from the one on record; [] where there is none."""
    here, there = _numbers(config), _numbers(recorded(folder))
    settings = {*RUN_SETTINGS} - there.keys()  # those that came to be since
    names = sorted({*here, *there} - settings) if there else []
    return [
        f"{name} is {json.dumps(there.get(name))} there, {json.dumps(here.get(name))} here"
        for name in names
        if here.get(name) != there.get(name)
    ]


def check_same(config: Mapping[str, Any], folder: str) -> None:
    """Raise `InputError` if the folder is that of another configuration."""
    if found := differences(config, folder):
        allowed = f"the folder of a run of this configuration: {'; '.join(found)}"
        hint = f"simdiff report {shlex.quote(folder)} takes the run's own, --replace writes over its report"
        raise InputError("out", folder, allowed, hint)


def keep(folder: RunFolder, config: Mapping[str, Any], points: Iterable[Mapping[str, Any]]) -> None:
    """Record a command and its points; a report of another configuration that is there gets a number.

    points: {"point": digest, "problem": name, **constructor arguments} for each.
    """
    if differences(config, str(folder.path)):
        folder.set_report_aside()
    folder.save_config(json.dumps(config, indent=1))
    folder.write_text(POINTS, "[\n" + ",\n".join(map(json.dumps, points)) + "\n]\n")


_LATER = {"trainer": ("clip", "ema")}
"""Entries of parts that came to be after runs were recorded without them, when they were what null says."""


def _numbers(config: Mapping[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(dict(config), default=str))
    kept = {name: value for name, value in plain.items() if name not in _ELSEWHERE}
    for name, later in _LATER.items():
        if isinstance(part := kept.get(name), dict):
            kept[name] = {key: value for key, value in part.items() if key not in later or value is not None}
    return kept
