"""Hydra's launchers, which run shares of a sweep in other processes or on other machines.

Only the launchers named here are ever built, from the entries of their own file in configs/launcher; no
class is taken from a configuration.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdiff.errors import InputError, check_choice, check_integer

KINDS = ("joblib", "local", "slurm")

Job = Callable[[Sequence[int]], str]
"""Runs the points of the given numbers; says in one line what went wrong, or "". It is pickled."""

_NO_FILES = ("hydra.output_subdir=null", "hydra.sweep.dir=.", "hydra.sweep.subdir=.")
_NO_LOGGING = ("hydra/hydra_logging=none", "hydra/job_logging=none")


def make_launcher(settings: Mapping[str, Any], folder: Path, name: str) -> tuple[Launcher, int]:
    """The launcher of the entry `launcher` of a configuration, and the number of its jobs.

    Args:
        settings: type, jobs, and what else its file has.
        folder: where jobs leave their logs.
        name: of the jobs, for a queue that shows it.

    Raises:
        InputError: a setting of the wrong kind, or a package that is not installed.
    """
    kind = check_choice("launcher.type", settings.get("type"), ("basic", *KINDS))
    jobs = check_integer("launcher.jobs", settings.get("jobs"), least=1)
    fields = {key: value for key, value in settings.items() if key not in ("type", "jobs")}
    try:
        if kind == "joblib":
            from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher

            return JoblibLauncher(n_jobs=jobs, **fields), jobs
        from simdiff.cli.launchers import submitted
    except ImportError as error:
        hint = f'it takes pip install "simdiff[cluster]"; there is no {error.name}'
        raise InputError("launcher", kind, "basic, or an installed launcher", hint) from error
    try:
        return submitted.make(kind, fields, folder, name), jobs
    except OmegaConfBaseException as error:
        field, reason = str(error.full_key), str(error).splitlines()[0]
        raise InputError(f"launcher.{field}", fields.get(field), f"a setting of {kind}", reason) from None


def launch(launcher: Launcher, job: Job, shares: Sequence[Sequence[int]]) -> list[str]:
    """Run `job` once for each share; when all have ended, what they had to say."""
    overrides = [[f"+points={list(share)}"] for share in shares]
    with initialize(config_path=None, version_base="1.3"):
        config = compose(overrides=[*_NO_FILES, *_NO_LOGGING], return_hydra_config=True)
        context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
    launcher.setup(hydra_context=context, task_function=functools.partial(_task, job), config=config)
    return [_said(done) for done in launcher.launch(overrides, 0)]


def _task(job: Job, config: DictConfig) -> str:
    return job(OmegaConf.to_container(config.points))  # type: ignore[arg-type]


def _said(done: JobReturn) -> str:
    return str(done._return_value) if done.status is not JobStatus.COMPLETED else done.return_value
