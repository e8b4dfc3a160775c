"""The figures of a run: which to draw, and the dense theory lines and maps behind the simulated points.

The sample complexity, where one is asked for, is theory alone: a table, and a figure of it.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simdiff.analysis import check_arguments, sample_complexity
from simdiff.analysis.spectra import feature_eigenvalues, feature_spectrum
from simdiff.errors import InputError, check_choice, check_integer
from simdiff.parts.build import build_problem
from simdiff.problem import Problem, flatten
from simdiff.problems import DenoisingScoreMatching
from simdiff.report.ensemble_figures import check_ensembles, draw_learned_densities, draw_target_fields
from simdiff.report.plots import columns
from simdiff.report.plots.complexity import draw_complexity
from simdiff.report.plots.curves import draw_curves
from simdiff.report.plots.deviations import draw_deviations
from simdiff.report.plots.extrapolation import draw_extrapolation
from simdiff.report.plots.labels import key_text
from simdiff.report.plots.maps import draw_maps
from simdiff.report.plots.spectra import SpectrumPanel, draw_spectra
from simdiff.report.plots.style import save
from simdiff.store import RunFolder
from simdiff.theory import evaluate_many, load
from simdiff.validation.study import Study

KINDS = ("curves", "maps", "none")

COMPLEXITY_GRID = 24
"""Values of x at which a sample complexity is sought."""


def draw_all(
    base: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    studies: Sequence[Study],
    summary: pd.DataFrame,
    sizes: pd.DataFrame,
    folder: RunFolder,
    complexity: pd.DataFrame | None = None,
) -> list[Path]:
    """Draw what the configuration asks for and the finite-size figures; returns the files.

    `complexity`: the table of `complexity_table`, drawn too.
    """
    wanted = base["figure"]
    kind = wanted["kind"]
    if kind == "none":
        return []
    x = wanted["x"] or ("time" if studies[0].problem.times else columns.main_axis(summary))
    drawn: dict[str, Any] = {}
    if kind == "curves" and x is not None:
        lines = _lines(points, x, wanted["grid"])
        marks = threshold_marks(studies, x) if wanted["threshold"] else None
        series = wanted["series"] if wanted["series"] in summary.columns else None
        shown, along, axis = _in_steps(points, summary, lines) if x == "time" else (summary, lines, x)
        drawn["curves"] = draw_curves(
            shown, along, x=axis, series=series, metrics=wanted["metrics"], marks=marks, title=""
        )
    if kind == "maps":
        drawn["maps"] = _draw_maps(points, wanted, summary)
    if wanted["spectrum"]:
        drawn["spectrum"] = _draw_spectra(studies)
    if wanted["density"]["models"]:
        drawn["densities"] = draw_learned_densities(studies, _labels(studies), wanted["density"])
    if wanted["fields"]:
        drawn["fields"] = draw_target_fields(studies, wanted["fields"])
    if complexity is not None:
        drawn["sample_complexity"] = draw_complexity(complexity, x=wanted["x"], series=wanted["series"])
    precision = studies[0].rule.precision
    extrapolated = summary[summary["order"] > 0]
    if extrapolated["stderr"].notna().any():
        drawn["finite_sizes"] = draw_extrapolation(sizes, extrapolated, precision=precision)
    if summary["stderr"].notna().any() and summary["theory"].notna().any():
        drawn["deviations"] = draw_deviations(summary, precision=precision)
    return [path for name, figure in drawn.items() for path in save(figure, folder.write_figure_path(name))]


def check_figure(wanted: Mapping[str, Any], studies: Sequence[Study]) -> None:
    """Raise `InputError` for a setting that no figure of these points can have, before anything is run."""
    kind = check_choice("figure.kind", wanted["kind"], KINDS)
    check_integer("figure.grid", wanted["grid"], least=2)
    problems = [study.problem for study in studies]
    names = list(dict.fromkeys(name for problem in problems for name in flatten(problem.describe())))
    axes = [*names, *(["time"] if problems[0].times else [])]
    for key in ("x", "y", "series"):
        if wanted[key] is not None:
            check_choice(f"figure.{key}", wanted[key], axes)
    if wanted["metrics"] is not None and not isinstance(wanted["metrics"], list):
        raise InputError("figure.metrics", wanted["metrics"], "a list of metrics, as in [test,train]")
    for metric in wanted["metrics"] or ():
        check_choice("figure.metrics", metric, [metric.name for metric in problems[0].metrics])
    if kind == "maps":
        _check_map(wanted["x"], wanted["y"], problems)
    if wanted["spectrum"] and not all(isinstance(p, DenoisingScoreMatching) for p in problems):
        raise InputError("figure.spectrum", True, "false", "only problem=denoising has a feature spectrum")
    check_ensembles(wanted, studies)
    if asks_complexity(wanted):
        _check_complexity(wanted, studies[0])


def _check_map(x: str | None, y: str | None, problems: Sequence[Problem]) -> None:
    if not (x and y) or x == y:
        raise InputError("figure", {"x": x, "y": y}, "two axes of the maps", "set figure.x and figure.y")
    for key, name in (("x", x), ("y", y)):
        values = {flatten(problem.describe()).get(name) for problem in problems}
        if len(values) < 2 or not all(map(_is_finite, values)):
            hint = f"give them with -m {name}=..., or choose figure.kind=curves"
            raise InputError(
                f"figure.{key}", name, "a parameter that is swept over two numbers or more", hint
            )


def asks_complexity(wanted: Mapping[str, Any]) -> bool:
    """Whether the settings of the figures ask for a sample complexity: they name a threshold."""
    return bool(wanted.get("complexity")) and wanted["complexity"]["threshold"] is not None


def _check_complexity(wanted: Mapping[str, Any], study: Study) -> None:
    x, asked = wanted["x"], wanted["complexity"]
    if x is None or x in ("time", "psi_n") or (x == "trainer.ridge" and asked["ridge"] != "given"):
        hint = "psi_n is sought at every x; set figure.x to something else, data.psi_D for instance"
        raise InputError("figure.x", x, "the axis of the sample complexity", hint)
    check_arguments(study.problem, asked["metric"], asked["threshold"], asked["ridge"], study.theory)


def complexity_table(base: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> pd.DataFrame | None:
    """The sample complexity along figure.x for every combination of the other swept values.

    A row a problem: its parameters but for psi_n and a tuned ridge, metric and threshold, and what
    `simdiff.sample_complexity` found, psi_n under the name of sample_complexity. None where the
    configuration names no threshold, and with a warning where the theory fails.
    """
    wanted = base["figure"]
    if not asks_complexity(wanted):
        return None
    x, asked = wanted["x"], wanted["complexity"]
    sought = {"psi_n"} if asked["ridge"] == "given" else {"psi_n", "trainer.ridge"}
    values = {_get(point, x) for point in points}
    finite = sorted(filter(_is_finite, values))
    along = dense_values(x, finite, COMPLEXITY_GRID) if len(finite) > 1 else finite
    along = [*along, *sorted(values - set(finite), key=str)]
    try:
        rows = [
            _complexity_row(_with(start, {x: value}), asked, sought)
            for start in _starts(points, {x, *sought})
            for value in along
        ]
    except Exception as error:
        warnings.warn(f"no sample complexity ({type(error).__name__}: {error})", stacklevel=2)
        return None
    return pd.DataFrame(rows)


def _complexity_row(config: Mapping[str, Any], asked: Mapping[str, Any], sought: set[str]) -> dict[str, Any]:
    problem = build_problem(config)
    found = sample_complexity(problem, asked["metric"], asked["threshold"], asked["ridge"], config["theory"])
    kept = {name: value for name, value in _scalars(problem).items() if name not in sought}
    result = dataclasses.asdict(found)
    first = {"metric": asked["metric"], "threshold": asked["threshold"]}
    return kept | first | {"sample_complexity": result.pop("psi_n")} | result


def _labels(studies: Sequence[Study]) -> list[str]:
    """For every study the parameters in which it differs from others."""
    flat = [_scalars(study.problem) for study in studies]
    names = sorted({name for each in flat for name, value in each.items() if value != flat[0].get(name)})
    return [key_text({name: each[name] for name in names if name in each}) for each in flat]


def _draw_spectra(studies: Sequence[Study]) -> Any:
    """The spectrum of every point, of theory and of one trial at the largest size."""
    shown = []
    for study, label in zip(studies, _labels(studies), strict=True):
        law = feature_spectrum(study.problem)
        assert isinstance(study.problem, DenoisingScoreMatching)  # checked before the run
        values = feature_eigenvalues(study.problem, study.sizes[-1], 1, study.seed)
        shown.append(SpectrumPanel(label, *law.density_on_grid(400, log=True), law.atoms, law.edges, values))
    return draw_spectra(shown)


def threshold_marks(studies: Sequence[Study], x: str) -> dict[Any, float]:
    """Where p = n m on the axis psi_p or psi_n, for each finite m."""
    flat = [flatten(study.problem.describe()) for study in studies]
    known = [f for f in flat if {"psi_n", "m", "model.psi_p"} <= set(f) and f["m"] != "inf"]
    if x == "model.psi_p":
        return {f["m"]: f["psi_n"] * f["m"] for f in known}
    return {f["m"]: f["model.psi_p"] / f["m"] for f in known} if x == "psi_n" else {}


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _lines(points: Sequence[Mapping[str, Any]], x: str, grid: int) -> pd.DataFrame | None:
    """Theory on a dense grid of x, for every combination of the other swept values."""
    if x == "time":
        return _lines_in_time(points, grid)
    finite = sorted({v for v in (_get(point, x) for point in points) if _is_finite(v)})
    if len(finite) < 2:
        return None
    dense = dense_values(x, finite, grid)
    return theory_table([_with(start, {x: v}) for start in _starts(points, {x}) for v in dense])


def _lines_in_time(points: Sequence[Mapping[str, Any]], grid: int) -> pd.DataFrame | None:
    """Theory on a dense grid of times, or of an optimiser's steps; None where there is no span of them."""
    starts = _starts(points, set())
    if _counts_steps(points):
        return theory_table([_with(start, {"trainer.records": grid}) for start in starts])
    if any(len(_get(point, "trainer.times") or ()) < 2 for point in points):
        return None
    return theory_table(
        [
            _with(start, {"trainer.times": dense_values("time", _get(start, "trainer.times"), grid)})
            for start in starts
        ]
    )


def _counts_steps(points: Sequence[Mapping[str, Any]]) -> bool:
    return all(_get(point, "trainer.type") == "Optax" for point in points)


def _in_steps(
    points: Sequence[Mapping[str, Any]], summary: pd.DataFrame, lines: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame | None, str]:
    """The tables and the axis; optimisers record times as steps, and their axis says so."""
    if not _counts_steps(points):
        return summary, lines, "time"
    renamed = {"time": "step"}
    return summary.rename(columns=renamed), None if lines is None else lines.rename(columns=renamed), "step"


def _starts(points: Sequence[Mapping[str, Any]], free: set[str]) -> list[Mapping[str, Any]]:
    """One point for each combination of whatever else than the names in `free` differs between points."""

    def rest(point: Mapping[str, Any]) -> str:
        return json.dumps(_with(point, {name: None for name in free if _get(point, name) is not None}))

    return list({rest(point): point for point in points}.values())


def _draw_maps(points: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], summary: pd.DataFrame) -> Any:
    x, y = wanted["x"], wanted["y"]
    spans = [sorted({float(_get(point, name)) for point in points}) for name in (x, y)]
    fine = [dense_values(name, span, wanted["grid"]) for name, span in zip((x, y), spans, strict=True)]
    table = theory_table([_with(points[0], {x: u, y: v}) for u, v in itertools.product(*fine)])
    m = points[0].get("m")
    guides: dict[str, Callable] = {}
    if wanted["threshold"] and (x, y) == ("psi_n", "model.psi_p") and isinstance(m, int):
        guides["$p = n m$"] = lambda u: u * m
    shown = {"x": x, "y": y, "metrics": wanted["metrics"], "guides": guides}
    if table is None:
        return draw_maps(summary, value="estimate", **shown)
    return draw_maps(table, points=summary, **shown)


def theory_table(configs: Sequence[Mapping[str, Any]]) -> pd.DataFrame | None:
    """Predictions at many configurations in one call where the theory can: parameters, metric, theory.

    None without a theory, and with a warning where the theory fails between the simulated points: a
    figure then has its values at those points only.
    """
    try:
        problems = [build_problem(config) for config in configs]
        if configs[0]["theory"] is None and problems[0].default_theory is None:
            return None
        theory = load(configs[0]["theory"], problems[0])
        return pd.DataFrame(_rows(problems, theory))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        warnings.warn(f"no theory between the simulated points ({reason})", stacklevel=2)
        return None


def _rows(problems: Sequence[Problem], theory: Callable) -> Iterator[dict[str, Any]]:
    for problem, found in zip(problems, evaluate_many(theory, problems), strict=True):
        scalars = _scalars(problem)
        for metric, value in found.items():
            for time, number in _at_times(problem, value):
                yield {**scalars, **time, "metric": metric, "theory": float(number)}


def _scalars(problem: Problem) -> dict[str, Any]:
    flat = flatten(problem.describe())
    return {k: v for k, v in flat.items() if isinstance(v, (str, int, float, bool))}


def _at_times(problem: Problem, value: Any) -> list[tuple[dict[str, float], float]]:
    numbers = np.atleast_1d(np.asarray(value, float))
    if problem.times is None:
        return [({}, numbers[0])]
    return [({"time": t}, number) for t, number in zip(problem.times, numbers, strict=True)]


def dense_values(name: str, values: Sequence[float], grid: int) -> list[float]:
    """`grid` values from the least to the greatest; logarithmic over a decade and more; whole for m, P."""
    low, high = min(values), max(values)
    spaced = np.geomspace if low > 0 and high > 10 * low else np.linspace
    dense = spaced(low, high, grid)
    if name in ("m", "P"):
        return sorted({int(v) for v in np.rint(dense)})
    return sorted({*dense[1:-1].tolist(), *map(float, values)})


def _get(config: Mapping[str, Any], name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _with(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(config))
    for name, value in changes.items():
        *path, last = name.split(".")
        inner = changed
        for part in path:
            inner = inner[part]
        inner[last] = value
    return changed
