"""From the words typed to a plan: configurations are composed with Hydra, one for every point of a sweep.

Everything that a word can name is known here, so that a wrong one is answered by the right ones.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdiff.cli.commands import Plan
from simdiff.cli.launchers import launchers
from simdiff.errors import InputError, check_choice
from simdiff.parts import registry
from simdiff.parts.build import KINDS, RUN_SETTINGS, arguments_of
from simdiff.report.figures import own_settings
from simdiff.run.record import default_name

CONFIGS = next(
    folder
    for folder in (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")
    if (folder / "config.yaml").exists()
)
FOLDERS = [folder.name for folder in CONFIGS.iterdir() if folder.is_dir() and folder.name[0] not in "_."]
GROUPS = sorted([*KINDS, "launcher", *FOLDERS])
PAPERS = "papers/"
"""What the names of paper cards among the experiments begin with."""


def make_plan(overrides: Sequence[str], multirun: bool, command: str) -> Plan:
    """Compose every point of the sweep.

    Args:
        overrides: as typed, name=value.
        multirun: whether values with commas are swept over.
        command: all that was typed, for the record.

    Raises:
        InputError: an override that names nothing or has a value that is not allowed.
    """
    parsed = _parse(overrides)
    named = {_key(o): None if o.is_sweep_override() else o.value() for o in parsed}
    own = arguments_of(named.get("problem") or _experiment(named.get("experiment")).get("problem"))
    _check_arguments(parsed, own)
    fixed, swept = _split(parsed, multirun, own)
    _offer_parts()
    with _own_hydra(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        base = _compose(fixed, own)
        prepared = {str(key): _words(str(key), values) for key, values in (base.sweep or {}).items()}
        axes = {key: values for key, values in prepared.items() if key not in named} | swept
        for key in {key.split(".")[0] for key in axes} & {*RUN_SETTINGS}:
            raise InputError(
                "sweep", key, "parameters of the problem", "all points of a run share this setting"
            )
        points = list(_points(base, fixed, axes, own))
    chosen = {*named, *axes, *_experiment_keys(named.get("experiment"))}
    plan = Plan(command, _used(_plain(base), own, chosen), axes, [_used(p, own, chosen) for p in points])
    return plan if chosen & {"name", "out"} else plan.named(default_name(plan.record))


@contextlib.contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra has one state for a process: that of a program which calls this one is put back afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


def _offer_parts() -> None:
    """Make every registered part a choice of its group, as a file in a folder of the group would be."""
    store = ConfigStore.instance()
    for kind in KINDS:
        for name, part in registry.parts(kind).items():
            store.store(group=kind, name=name, node=part.entry)
    store.store(group="figure", name="default", node=own_settings())
    for name, entry in launcher_entries().items():
        store.store(group="launcher", name=name, node=entry)


def launcher_entries() -> dict[str, dict[str, Any]]:
    """{name: settings with their defaults}; the name is the type that a run's configuration keeps."""
    return {name: {**part.entry, "type": name} for name, part in launchers().items()}


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    found = []
    for text in overrides:
        if "=" not in text or text.startswith("~"):
            raise InputError("command line", text, "overrides of the form name=value")
        found.append(_parsed(parser, text))
    return found


def _parsed(parser: OverridesParser, text: str) -> Override:
    """One override; what names a file or a text may have any characters without being quoted."""
    key, _, value = text.partition("=")
    try:
        return parser.parse_override(text)
    except HydraException as error:
        if key.lstrip("+") in _TEXTS and not {*"'\""} & {*value}:
            return parser.parse_override(f"{key}='{value}'")
        hint = f"quote a value with special characters twice, as in '{key}=\"{value}\"'; {_first_line(error)}"
        raise InputError("command line", text, "name=value", hint) from None


_TEXTS = ("out", "name", "known", "compilation_cache", "data.path", "trainer.name")


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+")


def _split(
    overrides: Sequence[Override], multirun: bool, own: Mapping[str, bool]
) -> tuple[list[str], dict[str, list[str]]]:
    """(overrides for every point, {swept override: its values})."""
    fixed: list[str] = []
    swept: dict[str, list[str]] = {}
    for override in overrides:
        key = _key(override)
        if key.split(".")[0] == "hydra":
            raise InputError("override", str(override.input_line), "names in the configuration")
        if not override.is_sweep_override():
            fixed.append(_forced(key, own) + str(override.input_line).lstrip("+"))
        elif multirun:
            swept[key] = _swept_values(key, override)
        else:
            raise InputError(key, override.get_value_string(), "one value", "sweeping takes -m")
    return fixed, swept


def _forced(key: str, own: Mapping[str, bool]) -> str:
    """Hydra's prefix for a name that its configuration need not have yet."""
    free = key.split(".")[0] in {*own, "sweep"} - set(GROUPS)
    return "++" if free or key.startswith("launcher.additional_parameters") else ""


def _swept_values(key: str, override: Override) -> list[str]:
    try:
        return list(override.sweep_string_iterator())
    except HydraException as error:
        came = override.get_value_string()
        raise InputError(key, came, "values with commas, or range(...)", _first_line(error)) from None


def _words(key: str, values: Any) -> list[str]:
    """The values of a prepared sweep as they would be typed."""
    plain = OmegaConf.to_container(values) if OmegaConf.is_config(values) else values
    if not isinstance(plain, list) or not plain:
        raise InputError(f"sweep.{key}", plain, "a list of values")
    return ["null" if value is None else str(value) for value in plain]


def _points(
    base: DictConfig, fixed: Sequence[str], axes: Mapping[str, Sequence[str]], own: Mapping[str, bool]
) -> Iterator[dict[str, Any]]:
    """One configuration a combination; Hydra composes once for each choice of groups, which is slow."""
    composed: dict[tuple[str, ...], DictConfig] = {(): base}
    for values in itertools.product(*axes.values()):
        texts = {key: f"{key}={value}" for key, value in zip(axes, values, strict=True)}
        groups = tuple(text for key, text in texts.items() if key in GROUPS)
        if groups not in composed:
            composed[groups] = _compose([*fixed, *groups], own)
        point = copy.deepcopy(composed[groups])
        for override in _parse([text for key, text in texts.items() if key not in GROUPS]):
            _set(point, override, own)
        yield _plain(point)


def _set(config: DictConfig, override: Override, own: Mapping[str, bool]) -> None:
    key = _key(override)
    try:
        OmegaConf.update(config, key, override.value(), merge=True, force_add=bool(_forced(key, own)))
    except OmegaConfBaseException:
        raise _unknown(key, str(override.input_line), own) from None


_OPTIONAL = ("launcher", "schedule", "experiment")
"""Groups of which none need be chosen."""


def _compose(overrides: Sequence[str], own: Mapping[str, bool]) -> DictConfig:
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key in GROUPS and (value != "null" or key not in _OPTIONAL):
            check_choice(key, value, options(key))
    try:
        return compose("config", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explained(error, overrides, own) from None


def _explained(error: Exception, overrides: Sequence[str], own: Mapping[str, bool]) -> InputError:
    """Hydra's complaint as one message that names the override at fault."""
    text = _first_line(error)
    for override in overrides:
        key = override.lstrip("+").partition("=")[0]
        if key not in GROUPS and f"'{key}'" in text:
            return _unknown(key, override, own)
    return InputError("configuration", " ".join(overrides), "a valid composition", text)


def _unknown(key: str, override: str, own: Mapping[str, bool]) -> InputError:
    group, _, name = key.partition(".")
    try:
        check_choice("override", key, [*_known_keys(), *own])
    except InputError as typo:
        hint = typo.hint or "simdiff run --help lists them"
        return InputError("override", override, "names in the configuration", hint)
    return InputError(
        "override", override, f"settings of the chosen {group}", f"{name} is one of another {group}="
    )


def _known_keys() -> list[str]:
    """Every name that can be overridden, whatever the chosen data, model and trainer."""
    names = set(GROUPS)
    for entry in launcher_entries().values():
        names |= _paths(entry, "launcher.")
    for kind in KINDS:
        names |= {path for part in registry.parts(kind).values() for path in _paths(part.entry, f"{kind}.")}
    names |= _paths(own_settings(), "figure.")
    for file in CONFIGS.rglob("*.yaml"):
        group = file.relative_to(CONFIGS).parts[0] if file.parent != CONFIGS else ""
        if group != "experiment":
            content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
            names |= _paths(content, f"{group}." if group else "")
    return sorted(names)


def _paths(content: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for key, value in content.items() if isinstance(content, Mapping) else ():
        found |= {f"{prefix}{key}"} | _paths(value, f"{prefix}{key}.")
    return found


def _experiment(name: Any) -> Any:
    """The entries of a prepared experiment as its file has them."""
    return OmegaConf.load(CONFIGS / "experiment" / f"{name}.yaml") if name in options("experiment") else {}


def _experiment_keys(name: Any) -> list[str]:
    entries = _experiment(name)
    groups = [str(key).split("/")[-1] for entry in entries.get("defaults", ()) for key in entry]
    return [*map(str, entries), *groups]


def _check_arguments(overrides: Sequence[Override], own: Mapping[str, bool]) -> None:
    """Raise `InputError` for what a problem with arguments of its own does not take."""
    for override in overrides if own else ():
        key = _key(override).split(".")[0]
        try:
            check_choice("override", key, [*own, *RUN_SETTINGS, "hydra"])
        except InputError as unknown:
            hint = unknown.hint or "simdiff run --help lists the settings"
            allowed = f"arguments of the problem ({', '.join(own)}) and settings of the run"
            raise InputError("override", str(override.input_line), allowed, hint) from None


def _used(config: dict[str, Any], own: Mapping[str, bool], chosen: set[str]) -> dict[str, Any]:
    """The entries that a problem takes, if they were named: defaults of its class win over config.yaml's."""
    if not own:
        return config
    named = {key.split(".")[0] for key in chosen}
    taken = {name for name, has_default in own.items() if name in named or not has_default}
    return {key: value for key, value in config.items() if key in {*RUN_SETTINGS, *taken}}


def _plain(config: DictConfig) -> dict[str, Any]:
    try:
        return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise InputError("configuration", _first_line(error), "references ${name} to entries") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def options(group: str) -> list[str]:
    """What can be chosen in a group of configurations."""
    if group == "launcher":
        return list(launchers())
    if group in KINDS:
        return list(registry.parts(group))
    files = (file.relative_to(CONFIGS / group) for file in (CONFIGS / group).rglob("*.yaml"))
    return sorted(file.with_suffix("").as_posix() for file in files)


def experiment_notes() -> dict[str, str]:
    """The first sentence of each experiment's heading comment; paper cards are told apart (`papers`)."""
    notes = {}
    for name in (name for name in options("experiment") if not name.startswith(PAPERS)):
        lines = (CONFIGS / "experiment" / f"{name}.yaml").read_text().splitlines()
        heading = itertools.takewhile(lambda line: line.startswith("#"), lines[1:])
        notes[name] = " ".join(line.lstrip("# ") for line in heading).split(": ")[0].split(". ")[0]
    return notes
