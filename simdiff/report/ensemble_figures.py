"""Figures of point sets and what models of them generate: densities beside theory, fields of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from simdiff.analysis.densities import learned_density
from simdiff.errors import InputError, check_integer, check_number
from simdiff.problems import EnsembleSampling
from simdiff.report.plots.densities import DensityPanel, draw_densities
from simdiff.report.plots.fields import FieldRow, draw_fields
from simdiff.sampling.diffusions import Diffusion
from simdiff.sampling.proxy import proxy_score
from simdiff.validation.study import Study

CELLS = 60
"""Cells of a field along an axis."""
REACH = 2.0
"""Half width of a field's window, in units of the largest coordinate."""


def check_ensembles(wanted: Mapping[str, Any], studies: Sequence[Study]) -> None:
    """Raise `InputError` for densities or fields that these points cannot have."""
    density, fields = wanted["density"], wanted["fields"]
    problems = [study.problem for study in studies]
    if (density["models"] or fields) and not all(isinstance(p, EnsembleSampling) for p in problems):
        name = "figure.density" if density["models"] else "figure.fields"
        raise InputError(name, dict(density) if density["models"] else fields, "null", _ONLY)
    if density["models"]:
        check_integer("figure.density.models", density["models"], least=2)
        check_integer("figure.density.samples", density["samples"], least=1)
        _check_dimension("figure.density", problems, 2)
    if fields is not None:
        if not isinstance(fields, (list, tuple)) or not fields:
            raise InputError("figure.fields", fields, "a list of times, as in [0.1,0.5]")
        for problem in problems:
            _check_fields(fields, problem.schedule)  # type: ignore[attr-defined]
        _check_dimension("figure.fields", problems, 2, exactly=True)


_ONLY = "only problem=ensemble_sampling has point sets"


def _check_fields(times: Sequence[Any], schedule: Diffusion) -> None:
    """Whether the schedule has finite coefficients and noise at these times."""
    for time in times:
        level = schedule.level(jnp.asarray(check_number("figure.fields", time, above=0), jnp.float64))
        if not (np.all(np.isfinite(level)) and level.sig2 > 0):
            kind, low, high = type(schedule).__name__, schedule.t_min, schedule.t_max
            allowed = f"times at which {kind} is defined, as those from {low:g} to {high:g} are"
            raise InputError("figure.fields", time, allowed)


def _check_dimension(name: str, problems: Sequence[Any], most: int, exactly: bool = False) -> None:
    for problem in problems:
        dimension = problem.data.dimension
        if dimension > most or (exactly and dimension < most):
            raise InputError(
                name, f"points in {dimension} dimensions", "points in the plane" if exactly else "D <= 2"
            )


def draw_learned_densities(studies: Sequence[Study], labels: Sequence[str], wanted: Mapping[str, Any]) -> Any:
    """A panel a study, at its P or its largest size; trained anew for the figure, as many models as asked."""
    panels = []
    for study, label in zip(studies, labels, strict=True):
        problem, P = study.problem, study.sizes[-1]
        assert isinstance(problem, EnsembleSampling)
        found = learned_density(problem, P, wanted["models"], wanted["samples"], seed=study.seed)
        points, _ = problem.data.arrays()
        excess = f"$W_1$ above its floor: ${found.distance.excess:.3f}$ ± {found.distance.stderr:.3f}"
        panels.append(
            DensityPanel(label, points, found.edges, found.trained.density, found.theory.density, excess)
        )
    return draw_densities(panels)


def draw_target_fields(studies: Sequence[Study], times: Sequence[float]) -> Any:
    """tr C / (tr C + |s|^2) of the proxy score around every different point set, at the given times."""
    sets = {study.problem.data: study.problem for study in studies}  # type: ignore[attr-defined]
    rows = [field_row(data, problem.schedule, times) for data, problem in sets.items()]  # type: ignore[attr-defined]
    return draw_fields(rows, times, r"share of noise in the target, tr $C$ / (tr $C$ + $|s|^2$)")


def field_row(data: Any, schedule: Diffusion, times: Sequence[float]) -> FieldRow:
    """The field of one point set."""
    points, _ = data.arrays()
    reach = REACH * float(np.abs(points).max())
    edges = np.linspace(-reach, reach, CELLS + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    x = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1)
    level = schedule.level(jnp.asarray(times, jnp.float64)[:, None, None])
    found = proxy_score(data, np.broadcast_to(x, (len(times), *x.shape)), level.alpha, level.sig2)
    return FieldRow(data.name or f"{len(points)} points", points, edges, np.asarray(found.variance_fraction))
