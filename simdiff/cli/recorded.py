"""What a run's folder records of the command that made it, so that no report takes the place of another's.

The record is config.yaml. A report on a folder alone repeats the command that is recorded; one that is given
a configuration of its own has to agree with it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from simdiff.errors import InputError
from simdiff.parts.build import RUN_SETTINGS
from simdiff.store import RunFolder

Words = tuple[Sequence[str], bool, str]
"""The arguments of `compose.make_plan`."""

_ELSEWHERE = {
    *("command", "out", "name", "launcher", "devices", "compilation_cache", "figure", "experiment", "sweep"),
}
"""Entries that change no number of a report: where things run and lie, and what is drawn."""


def default_name(config: Mapping[str, Any]) -> str:
    """A name for a run that has none: its problem, and digits of all that its numbers depend on."""
    text = json.dumps(_numbers(config), sort_keys=True)
    problem = re.sub(r"\W+", "_", str(config["problem"]).rpartition(":")[2])
    return f"{problem}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def report_words(words: Words) -> Words:
    """The words of `simdiff report`: those of the run where only FOLDER or out=FOLDER was typed.

    Raises:
        InputError: there is no such run, or its record names no command.
    """
    overrides, multirun, command = words
    folders = [word for word in overrides if "=" not in word]
    if not folders and (multirun or len(overrides) != 1 or not overrides[0].startswith("out=")):
        return words
    if len(folders) > 1:
        raise InputError("command line", " ".join(folders), "one folder")
    folder = folders[0] if folders else _unquoted(overrides[0].removeprefix("out="))
    run = shlex.split(str(recorded(folder).get("command", "")))[2:]
    if not run and not recorded(folder):
        raise InputError("run folder", folder, "a run's folder with its config.yaml")
    more = [word for word in overrides if "=" in word and not word.startswith("out=")]
    keys = {word.partition("=")[0] for word in more} | {"out"}
    kept = [word for word in run if word[0] != "-" and word.partition("=")[0] not in keys]
    swept = any(word in ("-m", "--multirun") for word in run)
    return [*kept, *more, _quoted(folder)], swept, command if more else shlex.join(["simdiff", "run", *run])


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _quoted(folder: str) -> str:
    """The override that names a folder, whatever characters its name has."""
    escaped = folder.replace("\\", "\\\\").replace("'", "\\'")
    return f"out='{escaped}'"


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


def _numbers(config: Mapping[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(dict(config), default=str))
    return {name: value for name, value in plain.items() if name not in _ELSEWHERE}
