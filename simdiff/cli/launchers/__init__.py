"""Where the points of a sweep run: each launcher is a file here, and its arguments are its settings.

Only registered launchers are ever built; no class is taken from a configuration.
"""

from __future__ import annotations

import abc
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdiff.errors import InputError, check_choice, check_integer
from simdiff.parts import registry

Job = Callable[[Sequence[int]], str]
"""Runs the points of the given numbers; says in one line what went wrong, or "". It is pickled."""


class Launcher(abc.ABC):
    """A frozen dataclass whose fields have defaults and types of YAML."""

    jobs: int
    """At most this many."""

    needs: ClassVar[str] = "simdiff"
    """A package that must be installed, from the extra "cluster"."""

    elsewhere: ClassVar[bool] = False
    """Whether trials run on other machines, so that they need not fit into this one's memory."""

    @abc.abstractmethod
    def launch(self, job: Job, shares: Sequence[Sequence[int]], folder: Path, name: str) -> list[str]:
        """Run `job` once for each share; when all have ended, what they had to say.

        Args:
            job: what to run.
            shares: numbers of points, at most `jobs` lists.
            folder: where jobs leave their logs.
            name: of the jobs, for a queue that shows it.

        Raises:
            InputError: the jobs cannot be started.
        """


def launchers() -> dict[str, registry.Part]:
    """{name: launcher}."""
    registry.import_all(__name__)
    return registry.parts("launcher")


def make_launcher(settings: Mapping[str, Any]) -> Launcher:
    """The launcher of the entry `launcher` of a configuration: its type, and arguments.

    Raises:
        InputError: a setting of the wrong kind, or a package that is not installed.
    """
    known = launchers()
    kind = check_choice("launcher.type", settings.get("type"), known)
    check_integer("launcher.jobs", settings.get("jobs"), least=1)
    made: Any = known[kind].factory
    fields = {key: value for key, value in settings.items() if key != "type"}
    try:
        importlib.import_module(made.needs)
        checked: Any = OmegaConf.to_container(OmegaConf.merge(OmegaConf.structured(made), fields))
        return made(**checked)
    except ImportError as error:
        hint = f'it takes pip install "simdiff[cluster]"; there is no {error.name}'
        raise InputError("launcher", kind, "basic, or an installed launcher", hint) from error
    except OmegaConfBaseException as error:
        field, reason = str(error.full_key), str(error).splitlines()[0]
        raise InputError(f"launcher.{field}", fields.get(field), f"a setting of {kind}", reason) from None
