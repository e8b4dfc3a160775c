"""The command line: reads the words typed, composes configurations with Hydra, calls `commands`.

Hydra appears in this file only. All points of a sweep are composed, built and checked before anything
is computed, so a mistake costs one line of text and exit status 2.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdiff import commands
from simdiff.commands import Plan
from simdiff.config import constructor_names
from simdiff.errors import InputError, check_choice

CONFIGS = next(
    folder
    for folder in (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs")
    if (folder / "config.yaml").exists()
)
GROUPS = sorted(folder.name for folder in CONFIGS.iterdir() if folder.is_dir() and folder.name[0] not in "_.")

_EPILOG = f"""\
overrides are named like the constructor arguments:
  data=gaussian|power_law   data.spectrum='[[0.5,1.5],[0.5,0.5]]'   data.exponent=0.5
  model.psi_p=4   model.activation=relu   trainer=ridge|optax   trainer.ridge=1e-3
  psi_n=2   m=4 (or inf)   t=0.1   theory=package.module:name   problem=package.module:Class
  sizes=[100,200,400]   precision=0.005   alpha=0.05   seed=0   max_trials=512   out=runs/mine
  experiment=NAME takes a prepared sweep ("simdiff list" names them)
  -m sweeps over comma-separated values:  -m model.psi_p=0.5,1,2,4 m=1,4,16

examples:
  simdiff run experiment=gaussian_learning_curve
  simdiff run -m model.psi_p=0.5,1,2,4 m=1,4,inf precision=0.01
  simdiff predict -m psi_n=0.5,1,2,4,8 trainer.ridge=1e-4
  simdiff report experiment=gaussian_learning_curve

A run that was interrupted goes on where it was when the same command is given again.
Exit status: 0 done, 2 bad input, 130 interrupted. Configurations: {", ".join(GROUPS)}.
"""

_COMMANDS = {
    "run": "simulate, compare with theory, and write tables, verdicts and figures to the run folder",
    "predict": "print what the theory says; nothing is simulated",
    "report": "write the report of a run folder again, also while the run goes on",
    "list": "name experiments, data, models, activations, trainers, problems and theories",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `simdiff`; returns the exit status."""
    logging.getLogger("jax").setLevel(logging.ERROR)
    try:
        return _dispatch(list(sys.argv[1:] if argv is None else argv))
    except InputError as error:
        print(f"simdiff: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nsimdiff: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    about = "Checks asymptotic theory of diffusion-model learning against finite-size training."
    parser = argparse.ArgumentParser("simdiff", description=about, epilog=_EPILOG, formatter_class=raw)
    kinds = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        sub = kinds.add_parser(name, help=text, description=text, epilog=_EPILOG, formatter_class=raw)
        if name != "list":
            sub.add_argument("-m", "--multirun", action="store_true", help="sweep comma-separated values")
            sub.add_argument("overrides", nargs="*", metavar="name=value", help="see below")
    return parser


def _dispatch(argv: list[str]) -> int:
    parser = _parser()
    arguments, extra = parser.parse_known_args(argv)
    if extra:
        raise InputError("command line", " ".join(extra), "name=value overrides, -m and --help")
    if arguments.command == "list":
        commands.list_all({group: _options(group) for group in GROUPS}, _experiment_notes())
        return 0
    plan = _plan(arguments.overrides, arguments.multirun, " ".join(["simdiff", *argv]))
    getattr(commands, arguments.command)(plan)
    return 0


def _options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))


def _experiment_notes() -> dict[str, str]:
    """The first sentence of each experiment's heading comment."""
    notes = {}
    for name in _options("experiment"):
        lines = (CONFIGS / "experiment" / f"{name}.yaml").read_text().splitlines()
        heading = itertools.takewhile(lambda line: line.startswith("#"), lines[1:])
        notes[name] = " ".join(line.lstrip("# ") for line in heading).split(": ")[0].split(". ")[0]
    return notes


def _plan(overrides: Sequence[str], multirun: bool, command: str) -> Plan:
    """Compose every point of the sweep."""
    fixed, swept = _split(_parse(overrides), multirun)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        base = _compose(fixed)
        named = {override.split("=", 1)[0].lstrip("+") for override in fixed}
        prepared = OmegaConf.to_container(base.sweep) or {}
        axes = {k: _words(k, v) for k, v in prepared.items() if k not in named} | swept
        combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        points = [_plain(_compose([*fixed, *(f"{k}={v}" for k, v in c.items())])) for c in combinations]
    return Plan(command=command, base=_plain(base), axes=axes, points=points)


def _parse(overrides: Sequence[str]) -> list[Override]:
    for text in overrides:
        if "=" not in text and not text.startswith("~"):
            raise InputError("command line", text, "overrides of the form name=value")
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise InputError("command line", " ".join(overrides), "name=value", _first_line(error)) from None


def _split(overrides: Sequence[Override], multirun: bool) -> tuple[list[str], dict[str, list[str]]]:
    """(overrides for every point, {swept override: its values})."""
    own = constructor_names([str(o.input_line) for o in overrides])
    fixed: list[str] = []
    swept: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element().lstrip("+")
        prefix = "++" if key.split(".")[0] in own and not override.is_delete() else ""
        if not override.is_sweep_override():
            fixed.append(prefix + str(override.input_line).lstrip("+" if prefix else ""))
        elif multirun:
            swept[prefix + key] = list(override.sweep_string_iterator())
        else:
            raise InputError(key, override.get_value_string(), "one value", "sweeping takes -m")
    return fixed, swept


def _words(key: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not values:
        raise InputError(f"sweep.{key}", values, "a list of values")
    return [str(value) for value in values]


def _compose(overrides: list[str]) -> DictConfig:
    try:
        return compose("config", overrides=overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, overrides) from None


def _explained(error: Exception, overrides: Sequence[str]) -> InputError:
    """Hydra's complaint as one message that names the override at fault."""
    text = _first_line(error)
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key in GROUPS and value not in _options(key):
            try:
                check_choice(key, value, _options(key))
            except InputError as choice:
                return choice
        if key not in GROUPS and f"'{key}'" in text:
            known = _known_keys()
            try:
                check_choice("override", key, known)
            except InputError as typo:
                return InputError("override", override, "names in the configuration", typo.hint or text)
    return InputError("configuration", " ".join(overrides), "a valid composition", text)


def _known_keys() -> list[str]:
    """Every name that can be overridden, whatever the chosen data, model and trainer."""
    names = set(GROUPS)
    for file in CONFIGS.rglob("*.yaml"):
        group = file.parent.name if file.parent != CONFIGS else ""
        if group != "experiment":
            content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
            names |= _paths(content, f"{group}." if group else "")
    return sorted(names)


def _paths(content: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for key, value in content.items() if isinstance(content, Mapping) else ():
        found |= {f"{prefix}{key}"} | _paths(value, f"{prefix}{key}.")
    return found


def _plain(config: DictConfig) -> dict[str, Any]:
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
