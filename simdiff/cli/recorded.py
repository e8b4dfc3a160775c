"""The words of a report: on a folder alone it repeats the command that the folder records.

One that is given a configuration of its own has to agree with the record, see `simdiff.run.record`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from simdiff.errors import InputError
from simdiff.run.record import recorded

Words = tuple[Sequence[str], bool, str]
"""The arguments of `compose.make_plan`."""


def named_folder(words: Words) -> str:
    """The folder, where only FOLDER, or only out=FOLDER, names a run; "" otherwise.

    Raises:
        InputError: several folders.
    """
    overrides, multirun, _ = words
    folders = [word for word in overrides if "=" not in word]
    if len(folders) > 1:
        raise InputError("command line", " ".join(folders), "one folder")
    if folders:
        return folders[0]
    alone = not multirun and len(overrides) == 1 and overrides[0].startswith("out=")
    return _unquoted(overrides[0].removeprefix("out=")) if alone else ""


def of_python(words: Words) -> str:
    """The folder that is to be reported on, if Python began its run; "" otherwise.

    Raises:
        InputError: with overrides: the run has no command line that they could change.
    """
    folder = named_folder(words)
    began = str(recorded(folder).get("command", "")) if folder else ""
    if not began.startswith("simdiff."):
        return ""
    more = [word for word in words[0] if "=" in word and not word.startswith("out=")]
    if more:
        hint = "simdiff.open(folder) in Python has everything"
        raise InputError("command line", " ".join(more), "the folder alone: Python began this run", hint)
    return folder


def report_words(words: Words) -> Words:
    """The words of `simdiff report`: those of the run where only FOLDER or out=FOLDER was typed.

    Raises:
        InputError: there is no such run, or its record names no command.
    """
    overrides, _, command = words
    folder = named_folder(words)
    if not folder:
        return words
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
