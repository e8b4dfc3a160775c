"""`validate`, `sweep` and `open`: from problems, or from a folder, to a run."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simdiff.api import TheorySpec, check_problem, make_study
from simdiff.errors import InputError, check_type
from simdiff.parts import registry
from simdiff.parts.jax_settings import settings_text
from simdiff.parts.vary import vary
from simdiff.problem import Problem
from simdiff.run import record
from simdiff.run.ahead import compile_ahead
from simdiff.run.changed_code import description
from simdiff.run.contents import About
from simdiff.run.run import Run
from simdiff.run.several import check_names, listed, theory_name
from simdiff.store import RunFolder, commit, versions_text
from simdiff.validation.study import InMemoryTrials, Study, replay

if TYPE_CHECKING:
    from simdiff.engine.sizes import Sizes
    from simdiff.validation import Verdict
    from simdiff.validation.study import Progress

Theories = TheorySpec | Sequence[TheorySpec]


def validate(
    problem: Problem,
    theory: Theories = None,
    sizes: Sizes | None = None,
    precision: float = 0.005,
    alpha: float = 0.05,
    seed: int = 0,
    max_trials: int = 512,
    dtype: str = "auto",
    progress: Progress | None = None,
    extrapolation: Any = None,
    absolute: float = 0.0,
    out: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Test a theory against the limit extrapolated from simulations at several sizes.

    Trials are added until every metric's limit is known to `precision` (relative half width of its 95%
    confidence interval) or `max_trials` at a size are spent; the decision looks at standard errors only.
    Data that have one size only are compared with theory at that size, without extrapolation.

    Args:
        problem: the problem.
        theory: as for `predict`, or a list of these: each is compared with the same trials, and p-values are
            corrected for all.
        sizes: two or more; None: 80, 120, 240, 480, or the only one that the data have.
        precision: relative half width of the limits' 95% confidence intervals.
        alpha: chance of rejecting a correct theory, over all metrics.
        seed: an integer from 0 to 2^32 - 1.
        max_trials: most trials at one size.
        dtype: as for `simulate`.
        extrapolation: the corrections at finite d that are fitted beside the limit: a list of exponents x
            of d^-x (or "log d/d"), "none", or None, which supposes [1, 2] and rejects a theory only if
            d^(-2/3) and d^(-4/3) reject it as well.
        absolute: half width that is always enough, in the metrics' unit; 0 for none.
        progress: called after every batch with (d, trials finished, trials wanted).
        out: a folder for trials, tables, figures and report; None: everything stays in memory.

    Returns:
        A `Verdict`: `.agree` is True, False or None (precision not reached); `.table` has one row per metric,
        and per theory where there are several. It has the methods of a run, too: `.plot()`, `.extend()`, ...

    Raises:
        InputError: a bad argument, before anything is computed.
    """
    given = dict(locals())
    settings = {name: given[name] for name in _SETTINGS}
    return _made("validate", problem, {}, theory, settings, out, progress).verdict


def sweep(
    problem: Problem,
    axes: Mapping[str, Sequence[Any]],
    theory: Theories = None,
    sizes: Sizes | None = None,
    precision: float = 0.005,
    alpha: float = 0.05,
    seed: int = 0,
    max_trials: int = 512,
    dtype: str = "auto",
    progress: Progress | None = None,
    extrapolation: Any = None,
    absolute: float = 0.0,
    out: str | os.PathLike[str] | None = None,
    figure: Mapping[str, Any] | None = None,
) -> Run:
    """Validate a problem at all combinations of some parameters' values.

    p-values are corrected for all comparisons of the sweep together.

    Args:
        problem: the problem; its own values of the parameters that are swept over do not matter.
        axes: {parameter by its dotted path: values}, for example {"model.psi_p": [1, 2, 4], "m": [1, 4]}; a
            value may be a part, as in {"data": [simdiff.data.Gaussian(), simdiff.data.PowerLaw(0.5)]}.
        theory: as for `validate`.
        sizes: as for `validate`.
        precision: as for `validate`.
        alpha: chance of rejecting a correct theory, over the whole sweep.
        seed: as for `validate`.
        max_trials: as for `validate`.
        dtype: as for `validate`.
        progress: as for `validate`.
        extrapolation: as for `validate`.
        absolute: as for `validate`.
        out: a folder for trials, tables, figures and report; None: everything stays in memory. A folder that
            has these trials already is continued, and a report of another sweep in it is kept under a number.
        figure: settings of the figures, as `figure.` on the command line: x, series, metrics, kind, ...

    Returns:
        A `Run`: `.table`, `.trials`, `.plot()`, ...

    Raises:
        InputError: a bad argument, before anything is computed.
    """
    given = dict(locals())
    settings = {name: given[name] for name in _SETTINGS}
    return _made("sweep", problem, axes, theory, settings, out, progress, figure or {})


_SETTINGS = ("sizes", "precision", "alpha", "seed", "max_trials", "dtype", "extrapolation", "absolute")


def open(path: str | os.PathLike[str], theory: Theories = None) -> Run:
    """The run in a folder: what its report says, and everything that can be done with its trials.

    Args:
        path: the folder that `simdiff run`, `sweep` or `validate` wrote.
        theory: what to compare with, where the recorded theory cannot be loaded, or another one is wanted:
            as for `validate`. None: what is recorded.

    Raises:
        InputError: the folder is no run's, or a problem or theory of the user's own in it cannot be loaded.
    """
    from simdiff.run.reopened import reopened

    return reopened(str(path), theory)


def _made(
    verb: str,
    problem: Problem,
    axes: Mapping[str, Sequence[Any]],
    theory: Theories,
    settings: Mapping[str, Any],
    out: str | os.PathLike[str] | None,
    progress: Progress | None,
    figure: Mapping[str, Any] | None = None,
) -> Run:
    """Check everything, then run, then write."""
    check_problem(problem)
    if out is not None:
        check_type("out", out, (str, os.PathLike))
    names = [theory_name(one, problem) for one in listed(theory)]
    check_names(names)
    problems = points_of(problem, axes)
    facts = {"versions": versions_text(), "commit": commit(), "settings": settings_text()} if out else {}
    studies = make_studies(problems, theory, settings, facts)
    asked = settings["sizes"]
    about = About(
        title=type(problem).__name__ if out is None else os.path.basename(os.path.normpath(out)),
        command=_command(verb, axes, settings, names),
        theory=", ".join(names),
        figure=figure or {},
        sizes=None if asked is None else tuple(asked),
    )
    if figure:
        _check_figure(figure, studies)
    run = Run(studies, InMemoryTrials(), about)
    if out is not None:
        run = dataclasses.replace(run, **_in_folder(run, problem, axes, settings, out))
    with compile_ahead([study for study in studies if replay(study, run.store).lacking]):
        done = run.collect(progress)
    if done.folder is not None:
        done.folder.compact()
        done.write()
    return done


def make_studies(
    problems: Sequence[Problem],
    theory: Theories,
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> tuple[Study, ...]:
    """A checked study for each problem and theory; points that are the same problem appear once."""
    several = len(listed(theory)) > 1
    found: dict[tuple[str, str], Study] = {}
    for problem in problems:
        told = {**facts, "problem": description(problem)} if facts else {}
        for one in listed(theory):
            name = theory_name(one, problem) if several else ""
            study = make_study(problem, one, facts=told, theory_name=name, **settings)
            found.setdefault((study.point, name), study)
    return tuple(found.values())


def points_of(problem: Problem, axes: Mapping[str, Sequence[Any]]) -> list[Problem]:
    """The problem at all combinations of the values; `InputError` where there is none."""
    for name, values in axes.items():
        if isinstance(values, str) or (not isinstance(values, Sequence) and not hasattr(values, "__len__")):
            raise InputError(f"sweep over {name}", values, "a list of values")
        if not len(values):
            raise InputError(f"sweep over {name}", values, "one value or more")
    plain = [[v.item() if hasattr(v, "item") else v for v in values] for values in axes.values()]
    combinations = itertools.product(*plain)
    return [vary(problem, dict(zip(axes, combination, strict=True))) for combination in combinations]


def _check_figure(figure: Mapping[str, Any], studies: Sequence[Study]) -> None:
    from simdiff.report.figures import check_figures, settings_of

    check_figures(settings_of(figure), studies)


def _in_folder(
    run: Run,
    problem: Problem,
    axes: Mapping[str, Sequence[Any]],
    settings: Mapping[str, Any],
    out: str | os.PathLike[str],
) -> dict[str, Any]:
    """The run's folder, with configuration and rules on record."""
    folder = RunFolder(out)
    kind = problem_name(problem)
    asked = settings["sizes"]
    config = {
        "command": run.about.command,
        "axes": {name: [_word(value) for value in values] for name, values in axes.items()},
        "problem": kind,
        "base": problem.describe(),
        "theory": run.about.theory,
        **settings,
        "sizes": None if asked is None else [int(d) for d in asked],
        "figure": dict(run.about.figure),
        "name": run.about.title,
        "out": str(out),
    }
    points = [{**study.problem.describe(), "point": study.point, "problem": kind} for study in run.studies]
    record.keep(folder, config, {p["point"]: p for p in points}.values())
    for rule in dict.fromkeys(study.rule for study in run.studies):
        folder.save_rule(rule.describe(), [s.point for s in run.studies if s.rule == rule])
    return {"folder": folder, "store": folder}


def problem_name(problem: Problem) -> str:
    """The name under which a problem is registered, or its import path."""
    known = {part.factory: name for name, part in registry.parts("problem").items()}
    kind = type(problem)
    return known.get(kind) or f"{kind.__module__}:{kind.__qualname__}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _command(
    verb: str, axes: Mapping[str, Sequence[Any]], settings: Mapping[str, Any], names: Sequence[str]
) -> str:
    """The call, with the arguments that differ from their defaults."""
    defaults = inspect.signature(sweep).parameters
    given = {name: value for name, value in settings.items() if repr(value) != repr(defaults[name].default)}
    words = ["problem", *([repr({k: list(v) for k, v in axes.items()})] if axes else [])]
    words += [f"theory={list(names)}"] if len(names) > 1 else [f"theory={names[0]!r}"]
    return f"simdiff.{verb}({', '.join([*words, *(f'{k}={v!r}' for k, v in given.items())])})"
