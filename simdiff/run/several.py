"""Several theories on the same trials: names for them, and studies that differ in nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simdiff.errors import InputError
from simdiff.problem import Problem
from simdiff.theory import load
from simdiff.validation.study import Study

if TYPE_CHECKING:
    from simdiff.run.run import Run


def theory_name(theory: Any, problem: Problem) -> str:
    """How a theory is called in tables and records: as it was given, or by module and name."""
    if theory is None:
        return problem.default_theory or "none"
    if isinstance(theory, str):
        return theory
    known = hasattr(theory, "__qualname__")
    return f"{theory.__module__}:{theory.__qualname__}" if known else type(theory).__name__


def listed(theory: Any) -> list[Any]:
    """The theories of an argument `theory`: a list or tuple of them, or a single one.

    Raises:
        InputError: an empty list.
    """
    if not isinstance(theory, (list, tuple)):
        return [theory]
    if not theory:
        raise InputError("theory", theory, "a theory, or a list of one or more")
    return list(theory)


def check_names(names: Sequence[str]) -> None:
    """Raise `InputError` if two theories have one name."""
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise InputError("theory", twice[0], "theories with different names", "give lambdas names: use def")


def with_theories(run: Run, theory: Any) -> Run:
    """The run with further theories beside its own; see `Run.compare`."""
    own = list(dict.fromkeys(study.theory_name or run.about.theory for study in run.studies))
    specs = listed(theory)
    names = [theory_name(spec, run.studies[0].problem) for spec in specs]
    check_names([*own, *names])
    studies = []
    for study in run.studies:
        studies.append(dataclasses.replace(study, theory_name=study.theory_name or run.about.theory))
        if study.point not in {s.point for s in studies[:-1]}:
            studies += [_other(study, spec, name) for spec, name in zip(specs, names, strict=True)]
    about = dataclasses.replace(run.about, theory=", ".join([*own, *names]))
    return dataclasses.replace(run, studies=tuple(studies), about=about, folder=None, stored={})


def _other(study: Study, spec: Any, name: str) -> Study:
    return dataclasses.replace(study, theory=load(spec, study.problem), theory_name=name)
