"""The command line: reads the words typed, has them composed, calls `commands` or `cluster`.

All points of a sweep are composed, built and checked before anything is computed, so a mistake costs one
line of text and exit status 2. What commands need is imported when one is given: help is there at once, and
an interrupt while modules are loaded is one line, too.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib.metadata
import logging
import os
import shlex
import shutil
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from simdiff.errors import InputError, check_choice

if TYPE_CHECKING:
    from simdiff.cli.recorded import Words

_COMMANDS = {
    "run": "simulate, compare with theory, and write tables, verdicts and figures to the run folder",
    "predict": "print what the theory says; nothing is simulated",
    "plan": "say what such a run will take, from its first trials: time, memory, what it can see",
    "report": "write the report of a run folder again, also while the run goes on",
    "export": "pack a run folder, with a dictionary of its data, into a zip file",
    "import": "unpack such a file into a new folder",
    "list": "name experiments, data, models, activations, trainers, problems, theories and paper cards",
}


_FILES = {"export": ("FOLDER", "FILE.zip"), "import": ("FILE.zip", "[FOLDER]")}
"""Arguments of the commands that move whole runs."""

_SIMPLE = (None, "list", *_FILES)
"""Commands that take no overrides."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `simdiff`; returns the exit status."""
    logging.getLogger("jax").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_warning
            status = _dispatch(list(sys.argv[1:] if argv is None else argv))
            sys.stdout.flush()
            return status
    except InputError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        _say("interrupted; the same command goes on from here")
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as in `simdiff list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _say(text: str) -> None:
    print("simdiff:", " ".join(text.split()), file=sys.stderr)


def _one_line_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    _say(f"warning: {message}")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` prints."""
        raise InputError("command line", message, "COMMAND [-m] [name=value ...]", "see simdiff --help")


def _parser(described: str | None) -> argparse.ArgumentParser:
    """The parser; the command `described` has the help on overrides, which asks all parts for theirs."""
    raw = argparse.RawDescriptionHelpFormatter
    about = "Checks asymptotic theory of diffusion-model learning against finite-size training."
    after = "simdiff COMMAND --help lists the overrides and gives examples."
    parser = _Parser("simdiff", description=about, epilog=after, formatter_class=raw)
    parser.add_argument("--version", action="version", version=importlib.metadata.version("simdiff"))
    kinds = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, text in _COMMANDS.items():
        sub = kinds.add_parser(name, help=text, description=text, formatter_class=raw)
        if name in _FILES:
            _add_files(sub, name)
        elif name == "list":
            sub.add_argument("what", nargs="?", help="papers: the paper cards, with claims and sources")
        elif name not in _SIMPLE:
            _add_arguments(sub, name)
        if name == described and name not in _SIMPLE:
            from simdiff.cli.override_help import overrides

            sub.epilog = overrides()
    return parser


def _add_files(sub: argparse.ArgumentParser, name: str) -> None:
    sub.usage = f"simdiff {name} [-h] {' '.join(_FILES[name])}"
    for place in _FILES[name]:
        sub.add_argument(place.strip("[]"), nargs="?" if place[0] == "[" else None)


def _add_arguments(sub: argparse.ArgumentParser, name: str) -> None:
    sub.usage = f"simdiff {name} [-h] [-m] [name=value ...]"
    sub.add_argument("-m", "--multirun", action="store_true", help="sweep comma-separated values")
    if name == "report":
        sub.usage = "simdiff report [-h] [--replace] (FOLDER | [-m] [name=value ...])"
        about = "write over the report of another configuration"
        sub.add_argument("--replace", action="store_true", help=about)
    sub.add_argument("overrides", nargs="*", metavar="name=value", help="overrides")


def _dispatch(argv: list[str]) -> int:
    command = next((word for word in argv if not word.startswith("-")), None)
    if command is not None:
        check_choice("command", command, _COMMANDS)
    parser = _parser(command if {"-h", "--help"} & set(argv) else None)
    arguments, extra = parser.parse_known_args(argv)
    # argparse takes one unbroken run of positionals: overrides after a flag come back as `extra`.
    simple = arguments.command in _SIMPLE
    refused = [word for word in extra if simple or word.startswith("-")]
    if refused:
        allowed = "--help" if simple else "name=value overrides, -m and --help"
        raise InputError("command line", " ".join(refused), allowed)
    if arguments.command is None:
        parser.print_help()
        return 0
    if arguments.command == "list":
        return _list(arguments.what)
    if arguments.command in _FILES:
        return _move(arguments)
    words = ([*arguments.overrides, *extra], arguments.multirun, shlex.join(["simdiff", *argv]))
    return _carry_out(arguments, words)


def _list(what: str | None) -> int:
    if what is not None:
        from simdiff.cli import papers

        check_choice("list", what, ["papers"])
        print(papers.listed(shutil.get_terminal_size((100, 24)).columns))
        return 0
    from simdiff.cli import commands
    from simdiff.cli.compose import GROUPS, experiment_notes, options

    commands.list_all({group: options(group) for group in GROUPS}, experiment_notes())
    return 0


def _move(arguments: argparse.Namespace) -> int:
    from simdiff.cli import commands

    places = [vars(arguments)[place.strip("[]")] for place in _FILES[arguments.command]]
    getattr(commands, f"{arguments.command}_run")(*places)
    return 0


def _carry_out(arguments: argparse.Namespace, words: Words) -> int:
    from simdiff.cli import commands
    from simdiff.cli.compose import make_plan
    from simdiff.cli.recorded import of_python, report_words

    commands.settle()
    atexit.register(gc.freeze)  # else the interpreter spends half a second on what the system frees at once
    if arguments.command == "report" and (folder := of_python(words)):
        commands.report_again(folder)
        return 0
    if arguments.command == "report":
        commands.report(make_plan(*report_words(words)), replace=arguments.replace)
        return 0
    plan = make_plan(*words)
    if arguments.command == "run" and plan.launcher["type"] != "basic":
        from simdiff.cli import cluster

        return cluster.run(plan, words)
    getattr(commands, arguments.command)(plan)
    return 0
