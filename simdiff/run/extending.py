"""More trials for a run that has been looked at: a new rule, the same trials and more, and a note."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.run import record
from simdiff.validation.study import Progress

if TYPE_CHECKING:
    from simdiff.run.run import Run


@with_pinned_settings
def extended(run: Run, precision: float | None, max_trials: int | None, progress: Progress | None) -> Run:
    """The run with more trials; see `Run.extend`."""
    asked = {"precision": precision, "max_trials": max_trials}
    changes = {name: value for name, value in asked.items() if value is not None}
    rules = [dataclasses.replace(study.rule, **changes) for study in run.studies]  # type: ignore[arg-type]
    pairs = zip(run.studies, rules, strict=True)
    studies = tuple(dataclasses.replace(study, rule=rule) for study, rule in pairs)
    before = run.rule
    look = (
        f"looked at before, with precision {before.precision:g} and at most {before.max_trials} trials a size"
    )
    about = dataclasses.replace(run.about, looks=(*run.about.looks, look))
    made = dataclasses.replace(run, studies=studies, about=about, stored={})
    if made.folder is not None:
        _keep(made, changes)
    done = made.collect(progress)
    if done.folder is not None:
        done.write()
    return done


def _keep(run: Run, changes: Mapping[str, float]) -> None:
    """Record the new rule and settings before the first trial."""
    assert run.folder is not None
    config = record.recorded(str(run.folder.path)) | dict(changes) | {"looks": list(run.about.looks)}
    points = json.loads(run.folder.read_text(record.POINTS) or "[]")
    record.keep(run.folder, config, points)
    for rule in dict.fromkeys(study.rule for study in run.studies):
        run.folder.save_rule(rule.describe(), [s.point for s in run.studies if s.rule == rule])
